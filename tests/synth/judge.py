"""A second, independent way to judge statements about two pictures: reads the sentence, looks at the scene graphs."""

from __future__ import annotations

import re
from typing import Any

from tests.synth.executor import Executor

COUNTS = {"no": 0, "one": 1, "two": 2, "three": 3, "four": 4}
ADJECTIVES = {"wooden": "wood"}
SIDE = {"left": 0, "right": 1}


def judge(sentence: str, graphs: list[dict[str, Any]], info: dict[str, Any], threshold: float) -> bool:
    """Whether the sentence is true of the two graphs; AssertionError when no rule reads it."""
    pictures = [Picture(graph, info, threshold) for graph in graphs]
    for pattern, rule in RULES:
        match = re.fullmatch(pattern, sentence)
        if match:
            return bool(rule(pictures, **match.groupdict()))
    raise AssertionError(f"no rule reads {sentence!r}")


class Picture:
    """One scene graph and what phrases denote in it."""

    def __init__(self, graph: dict[str, Any], info: dict[str, Any], threshold: float) -> None:
        self.executor, self.place = Executor(graph, info, threshold), graph["location"]
        self.objects, self.categories = graph["objects"], info["categories"]

    def all(self, phrase: str) -> list[str]:
        """The objects that a noun phrase, singular or plural, denotes."""
        words = phrase.replace("pieces of furniture", "furniture").replace("piece of furniture", "furniture").split(" ")
        noun, attributes = words[-1], [ADJECTIVES.get(word, word) for word in words[:-1]]
        known = {*self.categories, "thing", *(shape for shapes in self.categories.values() for shape in shapes)}
        noun = noun if noun in known else noun.removesuffix("s")
        assert noun in known, phrase
        return [
            name
            for name, thing in self.objects.items()
            if self.executor.fits(name, noun) and all(word in thing["attributes"] for word in attributes)
        ]

    def related(self, x: str, relation: str, y: str) -> bool:
        return any(self.executor.holds(a, relation, b) for a in self.all(x) for b in self.all(y))


def _compare(count: int, how: str, number: str) -> bool:
    wanted = COUNTS[number]
    return {"exactly": count == wanted, "at least": count >= wanted, "at most": count <= wanted}[how]


def _contact(pictures: list[Picture], side: str, x: str, how: str) -> bool:
    picture = pictures[SIDE[side]]
    relation, carrier = {"on a": ("on", "table"), "inside a": ("inside", "frame"), "held by a": ("holding", "robot")}[
        how
    ]
    return picture.related(carrier, "holding", x) if relation == "holding" else picture.related(x, relation, carrier)


def _same(pictures: list[Picture], x: str, what: str) -> bool:
    kind = next(kind for kind in ("color", "size", "material") if kind in what)
    values = {picture.executor.value(name, kind) for picture in pictures for name in picture.all(x)}
    assert all(len(picture.all(x)) == 1 for picture in pictures)
    return len(values) == 1


S, X, Y, N = "(?P<side>left|right)", "(?P<x>[a-z ]+?)", "(?P<y>[a-z ]+?)", "(?P<n>one|two|three|four)"
DIRECTION = "(?P<relation>to the left of|to the right of|above|below)"
RULES: tuple[tuple[str, Any], ...] = (
    (f"The {S} image contains exactly {N} {X}\\.", lambda p, side, n, x: len(p[SIDE[side]].all(x)) == COUNTS[n]),
    (
        f"There (is|are) exactly {N} {X} in the {S} image\\.",
        lambda p, side, n, x: len(p[SIDE[side]].all(x)) == COUNTS[n],
    ),
    (
        f"There are (?P<how>exactly|at least|at most) {N} {X} in both images together\\.",
        lambda p, how, n, x: _compare(sum(len(picture.all(x)) for picture in p), how, n),
    ),
    (
        f"The {S} image contains more {X} than the (left|right) image\\.",
        lambda p, side, x: len(p[SIDE[side]].all(x)) > len(p[1 - SIDE[side]].all(x)),
    ),
    (
        f"The {S} image contains fewer {X} than the (left|right) image\\.",
        lambda p, side, x: len(p[SIDE[side]].all(x)) < len(p[1 - SIDE[side]].all(x)),
    ),
    (
        f"(Both images contain an? {X}|There is an? (?P<y>[a-z ]+?) in each image)\\.",
        lambda p, x, y: all(picture.all(x or y) for picture in p),
    ),
    (
        f"(Exactly one of the images|Only one image) contains an? {X}\\.",
        lambda p, x: sum(bool(picture.all(x)) for picture in p) == 1,
    ),
    (f"The {S} image contains an? {X}\\.", lambda p, side, x: p[SIDE[side]].all(x)),
    (f"There is an? {X} in the {S} image\\.", lambda p, side, x: p[SIDE[side]].all(x)),
    (
        f"In the {S} image, an? {X} is {DIRECTION} an? {Y}\\.",
        lambda p, side, x, relation, y: p[SIDE[side]].related(x, relation, y),
    ),
    (
        f"In both images, an? {X} is {DIRECTION} an? {Y}\\.",
        lambda p, x, relation, y: all(picture.related(x, relation, y) for picture in p),
    ),
    (f"In the {S} image, an? {X} is (?P<how>on a|inside a|held by a) [a-z]+\\.", _contact),
    (f"The {X} in the left image and the [a-z]+ in the right image (?P<what>.*)\\.", _same),
    ("Both images have the same background\\.", lambda p: p[0].place == p[1].place),
    ("The images have different backgrounds\\.", lambda p: p[0].place != p[1].place),
)
