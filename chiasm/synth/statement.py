"""What a statement about two pictures is, and the words it may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from chiasm.synth import world
from chiasm.synth.refer import Phrase, SceneIndex, phrase

Truth = Callable[[SceneIndex, SceneIndex], bool | None]  # None: not certain by the pictures


@dataclass(frozen=True)
class Show:
    """What one picture must contain."""

    wanted: Sequence[Mapping[str, str]] = ()
    contact: tuple[str, Mapping[str, str]] | None = None


@dataclass(frozen=True)
class Statement:
    """A sentence about two pictures."""

    text: str
    family: str
    truth: Truth
    show: Callable[[Random], tuple[Show, Show]] = field(default=lambda rng: (Show(), Show()))


@dataclass(frozen=True)
class Speaker:
    """Draws words that may be spoken in a split."""

    rng: Random
    held_out: Mapping[str, str]  # shape -> colour that it is not said to have; empty in test

    def phrase(self, patterns: Sequence[tuple[str, ...]]) -> Phrase:
        """A noun phrase of one of the patterns."""
        kinds = self.rng.choice(patterns)
        while True:
            found = {kind: self.rng.choice(world.VOCABULARY[kind]) for kind in kinds}
            if self.held_out.get(found.get("shape", "")) != found.get("color", "none"):
                return phrase(*found.items())


def counted(index: SceneIndex, found: Phrase) -> int:
    """How many things a phrase denotes."""
    return index.denoted(found.properties).bit_count()
