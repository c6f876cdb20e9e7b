"""One scene: its things, what each is like, where it stands, and how they relate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from chiasm.synth import world


@dataclass(frozen=True)
class Thing:
    """One thing in a scene; the box is in pixels and tight."""

    shape: str
    color: str
    size: str
    material: str
    side: int  # pixels that the drawing was asked to have
    word: str = ""  # what a sign says
    arm: str = ""  # the side on which a robot stretches out its arm
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0
    tint: tuple[int, int, int] = (0, 0, 0)  # the colour's deviation from the pure one

    @property
    def category(self) -> str:
        """toy, symbol or furniture."""
        return world.CATEGORY_OF[self.shape]

    @property
    def variant(self) -> str:
        """What `sprite` needs besides shape and size."""
        return self.word or self.arm

    @property
    def center(self) -> tuple[float, float]:
        """The middle of the box."""
        return self.x + self.width / 2, self.y + self.height / 2

    def value(self, kind: str) -> str:
        """The value of one of its properties: "color" -> "red"."""
        return str(getattr(self, kind))


@dataclass(frozen=True)
class Scene:
    """A picture before it is painted."""

    image_id: int  # unique in the world
    split: str
    image_size: int
    place: str
    things: tuple[Thing, ...]
    contacts: tuple[tuple[int, str, int], ...]  # (subject, "on" | "inside" | "holding", object)
    ground_tint: tuple[int, int, int] = (0, 0, 0)
    name: str = ""  # of the picture, where it is not the id

    @property
    def stem(self) -> str:
        """The picture's file name without ending, and its key among the scene graphs."""
        return self.name or str(self.image_id)

    @cached_property
    def margin(self) -> float:
        """How far centres must be apart for a direction to be certain, in pixels."""
        return world.MARGIN * self.image_size / world.REFERENCE_SIZE

    @cached_property
    def offsets(self) -> dict[str, list[list[float]]]:
        """direction -> [subject][anchor]: how many pixels the subject's centre lies in that direction."""
        centers = [thing.center for thing in self.things]
        right = [[x - other for other, _ in centers] for x, _ in centers]
        below = [[y - other for _, other in centers] for _, y in centers]
        left, above = ([[-value for value in row] for row in table] for table in (right, below))
        return {"to the left of": left, "to the right of": right, "above": above, "below": below}

    def relations(self) -> Iterator[tuple[int, str, int]]:
        """Every certain relation as (subject, name, object)."""
        for subject in range(len(self.things)):
            for anchor in range(len(self.things)):
                if subject != anchor:
                    for direction, offsets in self.offsets.items():
                        if offsets[subject][anchor] >= self.margin:
                            yield subject, direction, anchor
        yield from self.contacts
