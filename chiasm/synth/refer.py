"""How things are spoken of: noun phrases, and an index of a scene that knows what a phrase denotes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from random import Random

from chiasm.synth import world
from chiasm.synth.scene import Scene

ADJECTIVE_ORDER = ("size", "color", "material")
ADJECTIVES: Mapping[str, str] = {"wood": "wooden"}  # where the adjective is not the value itself
NOUNS: Mapping[str, str] = {"furniture": "piece of furniture"}

# Which properties a description may name, and how often it is tried; "thing" is the noun where none of them is one.
PATTERNS: tuple[tuple[str, ...], ...] = (
    ("shape",),
    ("color", "shape"),
    ("size", "shape"),
    ("material", "shape"),
    ("color",),
    ("material",),
    ("category",),
    ("color", "category"),
    ("size", "category"),
    ("size", "color"),
    ("color", "material"),
    ("size", "color", "shape"),
    ("size", "material", "shape"),
)
FREQUENCIES = (5.0, 4.0, 2.0, 2.0, 2.0, 1.0, 1.5, 1.0, 1.0, 1.0, 0.7, 0.5, 0.5)
CUMULATED = tuple(accumulate(FREQUENCIES))


@dataclass(frozen=True)
class Phrase:
    """Properties that a thing must have, as a noun phrase without article: "small red cube"."""

    properties: tuple[tuple[str, str], ...]  # (kind, value)

    @cached_property
    def noun(self) -> str:
        """The shape, the category or "thing", as programs name it."""
        found = dict(self.properties)
        return found.get("shape") or found.get("category") or "thing"

    @cached_property
    def adjectives(self) -> tuple[tuple[str, str], ...]:
        """The other properties in the order of speech."""
        found = dict(self.properties)
        return tuple((kind, found[kind]) for kind in ADJECTIVE_ORDER if kind in found)

    @cached_property
    def text(self) -> str:
        """The phrase in words."""
        words = [ADJECTIVES.get(value, value) for _, value in self.adjectives]
        return " ".join([*words, NOUNS.get(self.noun, self.noun)])

    @cached_property
    def key(self) -> frozenset[tuple[str, str]]:
        """The properties without order."""
        return frozenset(self.properties)

    def __hash__(self) -> int:
        return hash(self.properties)


@lru_cache(maxsize=65536)
def phrase(*properties: tuple[str, str]) -> Phrase:
    """The phrase of these properties."""
    return Phrase(properties)


def article(text: str) -> str:
    """The words with "a" or "an" before them."""
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def plural(text: str) -> str:
    """A noun phrase in the plural."""
    head, of, rest = text.partition(" of ")
    return f"{head}s{of}{rest}"


class SceneIndex:
    """A scene with its properties and relations as bit masks over things, for fast questions.

    `held_out` are the pairs of shape and colour that may not be spoken of (none in the test split).
    """

    KINDS = ("shape", "color", "size", "material", "category")

    def __init__(self, scene: Scene, held_out: Mapping[str, str]) -> None:
        self.scene, self.things = scene, scene.things
        self.held_out = {} if scene.split == "test" else held_out
        self.everything = (1 << len(scene.things)) - 1
        self.having: dict[tuple[str, str], int] = {}
        for number, thing in enumerate(scene.things):
            for kind in self.KINDS:
                key = (kind, thing.value(kind))
                self.having[key] = self.having.get(key, 0) | 1 << number
        self.contact_of: dict[int, tuple[int, str, int]] = {}  # thing -> the contact it takes part in
        for contact in scene.contacts:
            self.contact_of[contact[0]] = self.contact_of[contact[2]] = contact

    def denoted(self, properties: Collection[tuple[str, str]]) -> int:
        """The things that have all the properties, as a bit mask."""
        found = self.everything
        for item in properties:
            found &= self.having.get(item, 0)
        return found

    def present(self, kind: str) -> list[str]:
        """The values of `kind` that occur in the scene, in order of first occurrence."""
        return list(dict.fromkeys(thing.value(kind) for thing in self.things))

    def may_say(self, properties: Collection[tuple[str, str]]) -> bool:
        """Whether the words may be put together in this split."""
        found = dict(properties)
        return self.held_out.get(found.get("shape", "")) != found.get("color", "none")

    def refer(self, number: int, rng: Random, avoid: Collection[str] = ()) -> Phrase | None:
        """A random phrase without the kinds in `avoid` that denotes only this thing; None when none was found."""
        thing = self.things[number]
        for kinds in rng.choices(PATTERNS, cum_weights=CUMULATED, k=10):
            if not any(kind in avoid for kind in kinds):
                properties = tuple((kind, thing.value(kind)) for kind in kinds)
                if self.denoted(properties) == 1 << number:
                    return phrase(*properties)
        return None

    def related(self, relation: str, role: str, anchor: int) -> tuple[int, int]:
        """Bit masks (certain, unclear) of the things that are subject or object of `relation` with `anchor`."""
        certain = unclear = 0
        if relation in world.OPPOSITE:
            direction = relation if role == "s" else world.OPPOSITE[relation]
            for number, offsets in enumerate(self.scene.offsets[direction]):
                certain |= (offsets[anchor] >= self.scene.margin) << number
                unclear |= (abs(offsets[anchor]) < self.scene.margin) << number
            return certain, unclear & ~(1 << anchor)
        for subject, name, thing in self.scene.contacts:
            if name == relation and anchor == (thing if role == "s" else subject):
                certain |= 1 << (subject if role == "s" else thing)
        return certain, unclear


def numbers(mask: int) -> list[int]:
    """The things in a bit mask."""
    return [number for number in range(mask.bit_length()) if mask >> number & 1]
