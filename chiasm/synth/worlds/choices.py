"""Four answers and four rationales to questions about generated pictures, in the official format of VCR.

Texts are lists of words in which [n] points at a thing: ["What", "color", "is", [2], "?"]. Only things whose kind
occurs once in the picture are spoken of, so that the kind, which is all that a text tells of a thing, is enough.

All options of a question are drawn from what could be so, and one is so in the picture: question, answers and
rationales alone tell nothing. A rationale says another thing of the picture than the answer, so the answer does not
give it away either. What a colour could be leaves out, in train and val, the colour that a kind never has there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from chiasm.synth import world
from chiasm.synth.refer import SceneIndex
from chiasm.synth.render import png, render
from chiasm.synth.sampling import SceneSampler
from chiasm.synth.scene import Scene

VERSION = 1
CHOICES = 4
NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight")
T = TypeVar("T")
Words = list[str | list[int]]
TRIES = 8  # families tried for one question


@dataclass(frozen=True)
class Asked:
    """A question with its options, the right one first; rationales have no question."""

    question: Words
    options: list[Words]


Maker = Callable[[SceneIndex, int, Random], Asked | None]


def _color(index: SceneIndex, thing: int, rng: Random) -> Asked | None:
    """What color is [2]? It is red."""
    said: list[Words] = [["It", "is", color, "."] for color in _colors(index, thing, rng)]
    return Asked(["What", "color", "is", [thing], "?"], said)


def _place(index: SceneIndex, thing: int, rng: Random) -> Asked | None:
    """What is the ground under [2]? It is sand."""
    said: list[Words] = [["It", "is", place, "."] for place in _first(index.scene.place, list(world.PLACES), rng)]
    return Asked(["What", "is", "the", "ground", "under", [thing], "?"], said)


def _word(index: SceneIndex, thing: int, rng: Random) -> Asked | None:
    """What is written on [2]? It says tea."""
    if not index.things[thing].word:
        return None
    words = _first(index.things[thing].word, list(world.WORDS), rng)
    said: list[Words] = [["It", "says", word, "."] for word in words]
    return Asked(["What", "is", "written", "on", [thing], "?"], said)


def _count(index: SceneIndex, thing: int, rng: Random) -> Asked | None:
    """How many things are there besides [2]? Three of them."""
    others = len(index.things) - 1
    if not 2 <= others <= 5:
        return None
    said: list[Words] = [[NUMBERS[n], "of", "them", "."] for n in _first(others, [2, 3, 4, 5], rng)]
    return Asked(["How", "many", "things", "are", "there", "besides", [thing], "?"], said)


def _because_direction(index: SceneIndex, thing: int, rng: Random) -> Asked | None:
    """I see [2] to the left of [0]."""
    true: list[tuple[str, int]] = []
    false: list[tuple[str, int]] = []
    for anchor in named_alone(index):
        for direction in world.DIRECTIONS:
            certain = index.related(direction, "s", anchor)[0] >> thing & 1
            opposite = index.related(world.OPPOSITE[direction], "s", anchor)[0] >> thing & 1
            if anchor != thing and (certain or opposite):
                (true if certain else false).append((direction, anchor))
    if not true:
        return None
    said, beside = rng.choice(true)
    false.remove((world.OPPOSITE[said], beside))  # of two that contradict each other one would have to be right
    if len(false) < CHOICES - 1:
        return None
    chosen = [(said, beside), *rng.sample(false, CHOICES - 1)]
    return Asked([], [["I", "see", [thing], *direction.split(), [anchor], "."] for direction, anchor in chosen])


def _because_place(index: SceneIndex, thing: int, rng: Random) -> Asked | None:
    """I see [2] on sand."""
    places = _first(index.scene.place, list(world.PLACES), rng)
    return Asked([], [["I", "see", [thing], "on", place, "."] for place in places])


def _because_color(index: SceneIndex, thing: int, rng: Random) -> Asked | None:
    """I see [2] with [0], which is blue."""
    others = [number for number in named_alone(index) if number != thing]
    if not others:
        return None
    other = rng.choice(others)
    colors = _colors(index, other, rng)
    return Asked([], [["I", "see", [thing], "with", [other], ",", "which", "is", color, "."] for color in colors])


ANSWERS: dict[str, Maker] = {"color": _color, "place": _place, "word": _word, "count": _count}
RATIONALES: dict[str, Maker] = {"direction": _because_direction, "place": _because_place, "color": _because_color}


@dataclass(frozen=True)
class Options:
    """How many pictures, what is in them, and what is asked. Raises ValueError for what cannot be made."""

    scenes: int = 2000  # pictures of the training split
    val_scenes: int = 200
    test_scenes: int = 200
    questions: int = 2  # of each picture
    image_size: int = world.REFERENCE_SIZE
    min_objects: int = 3
    max_objects: int = 6
    answers: tuple[str, ...] = tuple(ANSWERS)  # what is asked
    rationales: tuple[str, ...] = tuple(RATIONALES)  # what is said for it

    def __post_init__(self) -> None:
        if min(self.sizes().values()) < 1 or self.questions < 1:
            raise ValueError("scenes, val_scenes, test_scenes and questions must be at least 1")
        if not 2 <= self.min_objects <= self.max_objects <= 8 or not 96 <= self.image_size <= 1024:
            raise ValueError("2 <= min_objects <= max_objects <= 8 and 96 <= image_size <= 1024 are expected")
        for name, known in (("answers", ANSWERS), ("rationales", RATIONALES)):
            given = getattr(self, name)
            if not given or set(given) - set(known):
                raise ValueError(f"{name} is {list(given)}; some of {', '.join(known)} are expected")
        if set(self.answers) == set(self.rationales) == {"place"}:
            raise ValueError("a rationale about the place would repeat an answer about the place")

    def sizes(self) -> dict[str, int]:
        """split -> pictures."""
        return {"train": self.scenes, "val": self.val_scenes, "test": self.test_scenes}


def write(folder: Path, options: Options, *, seed: int) -> None:
    """`<split>.jsonl`, and in `vcr1images/<split>` the pictures with a file each of their things' boxes."""
    sampler = SceneSampler(
        seed=seed, image_size=options.image_size, min_objects=options.min_objects, max_objects=options.max_objects
    )
    for split, size in options.sizes().items():
        images = folder / "vcr1images" / split
        images.mkdir(parents=True)
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
            asked = 0
            for number in range(size):
                scene = sampler.scene(split, number)
                rng = Random(f"choices/{seed}/{split}/{number}")
                entries = _entries(scene, SceneIndex(scene, sampler.held_out), options, rng, split, asked)
                (images / f"{scene.stem}.png").write_bytes(png(render(scene)))
                (images / f"{scene.stem}.json").write_text(json.dumps(_metadata(scene)) + "\n", encoding="utf-8")
                file.writelines(json.dumps(entry) + "\n" for entry in entries)
                asked += len(entries)


def named_alone(index: SceneIndex) -> list[int]:
    """The things whose kind no other thing of the picture has."""
    shapes = [thing.shape for thing in index.things]
    return [number for number, shape in enumerate(shapes) if shapes.count(shape) == 1]


def _entries(
    scene: Scene, index: SceneIndex, options: Options, rng: Random, split: str, before: int
) -> list[dict[str, Any]]:
    """The questions of one picture, as VCR writes them; fewer where nothing more can be asked."""
    things = named_alone(index)
    entries: list[dict[str, Any]] = []
    for _ in range(TRIES * options.questions if things else 0):
        if len(entries) == options.questions:
            break
        thing = rng.choice(things)
        family = rng.choice(options.answers)
        reasons = [name for name in options.rationales if not name == family == "place"]
        asked = ANSWERS[family](index, thing, rng)
        reason = RATIONALES[rng.choice(reasons)](index, thing, rng) if reasons else None
        if asked is None or reason is None or any(entry["question"] == asked.question for entry in entries):
            continue
        name = f"{split}-{before + len(entries)}"
        entries.append(
            {
                "movie": "generated",
                "objects": [one.shape for one in scene.things],
                "img_fn": f"{split}/{scene.stem}.png",
                "metadata_fn": f"{split}/{scene.stem}.json",
                "img_id": f"{split}-{scene.stem}",
                "question_number": len(entries),
                "annot_id": name,
                "match_fold": f"{split}-0",
                "question": asked.question,
                "question_orig": _plain(asked.question),
                **_options("answer", asked.options, rng),
                **_options("rationale", reason.options, rng),
            }
        )
    return entries


def _options(name: str, options: Sequence[Words], rng: Random) -> dict[str, Any]:
    """The options in random order, and where the right one, the first, has come."""
    order = rng.sample(range(len(options)), len(options))
    return {
        f"{name}_choices": [options[place] for place in order],
        f"{name}_label": order.index(0),
        f"{name}_orig": _plain(options[0]),
    }


def _metadata(scene: Scene) -> dict[str, Any]:
    corners = [(t.x, t.y, t.x + t.width, t.y + t.height) for t in scene.things]
    return {
        "boxes": [[*box, 1.0] for box in corners],
        "segms": [[[[a, b], [c, b], [c, d], [a, d]]] for a, b, c, d in corners],
        "names": [thing.shape for thing in scene.things],
        "width": scene.image_size,
        "height": scene.image_size,
    }


def _colors(index: SceneIndex, thing: int, rng: Random) -> list[str]:
    """The thing's colour and three that it could have."""
    shape, true = index.things[thing].shape, index.things[thing].color
    return _first(true, [c for c in world.COLORS if c == true or index.held_out.get(shape) != c], rng)


def _first(true: T, known: Sequence[T], rng: Random) -> list[T]:
    """What is so, then three others."""
    return [true, *rng.sample([value for value in known if value != true], CHOICES - 1)]


def _plain(words: Words) -> str:
    """The text as a person wrote it: things by their number, from 1."""
    return " ".join(word if isinstance(word, str) else " and ".join(str(n + 1) for n in word) for word in words)
