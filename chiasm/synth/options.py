"""What may be asked of a generator, checked: unknown and impossible options are refused by name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from chiasm.registry import nearest
from chiasm.synth import world

LARGEST_SPLIT = 1_000_000  # image ids of a split start at a multiple of this
NAMED = ("formats", "families")  # the options that are lists of names
FORMATS = ("gqa", "vqa", "captions", "instances")


class WorldError(Exception):
    """A world that cannot be made or used; the message says what to change."""


@dataclass(frozen=True)
class WorldOptions:
    """What every world has. `val_*` and `test_*` numbers of None: a tenth of the training split, at least 20."""

    image_size: int = world.REFERENCE_SIZE  # pixels, width and height
    min_objects: int = 3  # things in a picture
    max_objects: int = 6

    def sizes(self) -> dict[str, int]:
        """split -> how many scenes or statements it has."""
        raise NotImplementedError

    def check(self) -> None:
        """Raises `WorldError` when something is out of range."""
        if not 96 <= self.image_size <= 1024:
            raise WorldError(f"image_size is {self.image_size}; it must be between 96 and 1024 pixels")
        if not 2 <= self.min_objects <= self.max_objects <= 8:
            raise WorldError(
                f"min_objects {self.min_objects} and max_objects {self.max_objects} must satisfy "
                "2 <= min_objects <= max_objects <= 8"
            )
        for split, size in self.sizes().items():
            if not 1 <= size <= LARGEST_SPLIT:
                raise WorldError(f"split {split!r} has size {size}; it must be between 1 and {LARGEST_SPLIT:,}")

    def to_json(self) -> dict[str, Any]:
        """The options as they are written into world.json."""
        return asdict(self)


def _tenth(size: int) -> int:
    return max(20, size // 10)


@dataclass(frozen=True)
class ScenesOptions(WorldOptions):
    """Single pictures with questions, scene graphs, captions, boxes and masks."""

    scenes: int = 10_000  # of the training split
    val_scenes: int | None = None
    test_scenes: int | None = None
    questions: int = 8  # per scene, at most
    families: tuple[str, ...] = ()  # names of `questions.FAMILIES`, one twice: asked about twice as often; (): all
    formats: tuple[str, ...] = FORMATS  # which annotation files are written

    def sizes(self) -> dict[str, int]:
        """split -> scenes."""
        val, test = self.val_scenes, self.test_scenes
        tenth = _tenth(self.scenes)
        return {"train": self.scenes, "val": tenth if val is None else val, "test": tenth if test is None else test}

    def check(self) -> None:
        """Raises `WorldError` when something is out of range."""
        super().check()
        if not 1 <= self.questions <= 20:
            raise WorldError(f"questions is {self.questions}; it must be between 1 and 20 per scene")
        from chiasm.synth.questions import FAMILIES

        for name in self.families:
            if name not in FAMILIES:
                raise WorldError(nearest(name, FAMILIES, what="family of questions"))
        for name in self.formats:
            if name not in FORMATS:
                raise WorldError(nearest(name, FORMATS, what="format"))


@dataclass(frozen=True)
class PairsOptions(WorldOptions):
    """Statements about two pictures."""

    min_objects: int = 2
    max_objects: int = 5
    statements: int = 4_000  # of the training split
    val_statements: int | None = None
    test_statements: int | None = None
    pairs: int = 4  # pairs of pictures per statement, half of them true
    families: tuple[str, ...] = ()  # which kinds of statements are made: names of `statements.FAMILIES`; (): all

    def sizes(self) -> dict[str, int]:
        """split -> statements."""
        val, test = self.val_statements, self.test_statements
        tenth = _tenth(self.statements)
        return {
            "train": self.statements,
            "val": tenth if val is None else val,
            "test": tenth if test is None else test,
        }

    def check(self) -> None:
        """Raises `WorldError` when something is out of range."""
        super().check()
        if self.pairs not in (2, 4, 6, 8):
            raise WorldError(f"pairs is {self.pairs}; it must be 2, 4, 6 or 8, so that half can be true")
        if max(self.sizes().values()) > LARGEST_SPLIT // 20:
            raise WorldError(f"a split may have at most {LARGEST_SPLIT // 20:,} statements")
        from chiasm.synth.statements import FAMILIES

        for name in self.families:
            if name not in FAMILIES:
                raise WorldError(nearest(name, FAMILIES, what="family of statements"))


KINDS: dict[str, type[WorldOptions]] = {"scenes": ScenesOptions, "pairs": PairsOptions}


def options(kind: str, given: dict[str, Any]) -> WorldOptions:
    """The checked options of a kind of world. Raises `WorldError` naming the nearest known kind or option."""
    if kind not in KINDS:
        raise WorldError(nearest(kind, KINDS, what="kind of world"))
    known = {field.name: field for field in fields(KINDS[kind])}
    defaults = KINDS[kind]().to_json()
    for name, value in given.items():
        if name not in known:
            raise WorldError(nearest(name, known, what=f"option of a world of {kind}"))
        if name in NAMED:
            if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
                raise WorldError(f"{name} is {value!r}; it must be a list of names")
        elif not (isinstance(value, int) and not isinstance(value, bool)) and value is not defaults[name]:
            raise WorldError(f"{name} is {value!r}; it must be a whole number")
    plain: dict[str, Any] = {name: tuple(v) if name in NAMED else v for name, v in given.items()}
    made = KINDS[kind](**plain)
    made.check()
    return made
