"""What five imaginary people write under a picture, each with another degree of care."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from chiasm.synth import world
from chiasm.synth.refer import ADJECTIVES, article
from chiasm.synth.scene import Scene, Thing

ANNOTATORS = ("careful", "plain", "terse", "vague", "hasty")
HASTY_MISTAKES = 0.6  # how often the hasty one gets an attribute wrong
GROUND = {"snow": "in the snow", "sand": "on the sand", "grass": "on the grass", "water": "on the water"}


@dataclass(frozen=True)
class Caption:
    """A sentence, who wrote it, and whether it is true of the picture."""

    text: str
    annotator: str
    correct: bool = True


def _noun(thing: Thing, *kinds: str) -> str:
    words = [thing.value(kind) for kind in kinds]
    return " ".join([*(ADJECTIVES.get(word, word) for word in words), thing.shape])


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _link(scene: Scene, rng: Random) -> tuple[int, str, int]:
    """A contact if there is one, else a direction, else two things side by side."""
    if scene.contacts:
        return rng.choice(scene.contacts)
    relations = list(scene.relations())
    return rng.choice(relations) if relations else (0, "near", 1)


def captions(scene: Scene, rng: Random) -> list[Caption]:
    """One caption by each annotator."""
    return [
        Caption(_careful(scene, rng), "careful"),
        Caption(_plain(scene, rng), "plain"),
        Caption(_terse(scene, rng), "terse"),
        Caption(_vague(scene, rng), "vague"),
        _hasty(scene, rng),
    ]


def _careful(scene: Scene, rng: Random) -> str:
    """Two things with all their attributes, how they relate, and the ground."""
    first, relation, second = _link(scene, rng)
    kinds = ("size", "color", "material")
    one, two = (article(_noun(scene.things[number], *kinds)) for number in (first, second))
    return _sentence(f"{one} is {relation} {two} {GROUND[scene.place]}")


def _plain(scene: Scene, rng: Random) -> str:
    """Two things with their colours."""
    one, two = (article(_noun(thing, "color")) for thing in rng.sample(scene.things, 2))
    return _sentence(f"{one} and {two} {GROUND[scene.place]}")


def _terse(scene: Scene, rng: Random) -> str:
    """Names only."""
    return ", ".join(thing.shape for thing in rng.sample(scene.things, min(3, len(scene.things))))


def _vague(scene: Scene, rng: Random) -> str:
    """Nothing that could be wrong."""
    categories = sorted({thing.category for thing in scene.things})
    some = {"toy": "toys", "symbol": "symbols", "furniture": "furniture"}[rng.choice(categories)]
    return rng.choice(
        (f"There are some things {GROUND[scene.place]}.", f"A picture with some {some}.", "Several things.")
    )


def _hasty(scene: Scene, rng: Random) -> Caption:
    """One thing described, often with a wrong attribute."""
    thing = rng.choice(scene.things)
    kinds = ("size", "color")
    values = {kind: thing.value(kind) for kind in kinds}
    if rng.random() < HASTY_MISTAKES:
        kind = rng.choice(kinds)
        values[kind] = rng.choice([value for value in world.VOCABULARY[kind] if value != values[kind]])
    true = any(
        other.shape == thing.shape and all(other.value(kind) == value for kind, value in values.items())
        for other in scene.things
    )
    said = article(" ".join([*values.values(), thing.shape]))
    return Caption(_sentence(f"there is {said} {GROUND[scene.place]}"), "hasty", true)
