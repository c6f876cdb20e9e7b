"""Sentences in a language of our own and their translations into another one, line by line as Multi30k.

    source   [adjective] noun verb [adjective] noun [adverb]
    target   noun-o [adjective] noun-am [adjective] [adverb] verb

The verb goes to the end, an adjective behind its noun, and a noun's ending tells whether it acts or suffers: so a word
cannot be translated without looking at its place, and the order must be found. Words follow Zipf's law: a few are in
most sentences, most are rare. Every sentence has exactly one translation, so BLEU can reach 1.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VERSION = 1
LANGUAGES = ("one", "two")
SOUNDS = ("bcdfghklmnprstvz", "aeiou")


@dataclass(frozen=True)
class Options:
    """How many sentences, and how many words of each kind."""

    sentences: int = 4000
    val_sentences: int = 400
    test_sentences: int = 400
    nouns: int = 120
    verbs: int = 60
    adjectives: int = 60
    adverbs: int = 20
    slope: float = 1.0  # of Zipf's law: word number r is used in proportion to 1 / r ^ slope

    def __post_init__(self) -> None:
        least = min(
            self.sentences,
            self.val_sentences,
            self.test_sentences,
            self.nouns,
            self.verbs,
            self.adjectives,
            self.adverbs,
        )
        if least < 1:
            raise ValueError("there must be at least one sentence of each split and one word of each kind")

    def sizes(self) -> dict[str, int]:
        """split -> sentences."""
        return {"train": self.sentences, "val": self.val_sentences, "test": self.test_sentences}


def write(folder: Path, options: Options, *, seed: int) -> None:
    """<split>.one and <split>.two, as the source `translation` reads them."""
    kinds = {
        "noun": options.nouns,
        "verb": options.verbs,
        "adjective": options.adjectives,
        "adverb": options.adverbs,
    }
    chance = random.Random(f"words/{seed}")
    words = _distinct(2 * sum(kinds.values()), chance)
    dictionary = {
        kind: [(next(words_of), next(words_of)) for _ in range(count)]
        for words_of in [iter(words)]
        for kind, count in kinds.items()
    }
    for split, count in options.sizes().items():
        pairs = [sentence(dictionary, options.slope, random.Random(f"{seed}/{split}/{n}")) for n in range(count)]
        for number, language in enumerate(LANGUAGES):
            text = "".join(f"{pair[number]}\n" for pair in pairs)
            (folder / f"{split}.{language}").write_text(text, encoding="utf-8")


def sentence(dictionary: dict[str, list[tuple[str, str]]], slope: float, chance: random.Random) -> tuple[str, str]:
    """One sentence in both languages."""

    def pick(kind: str) -> tuple[str, str]:
        return chance.choices(dictionary[kind], _weights(len(dictionary[kind]), slope))[0]

    actor, victim, verb = pick("noun"), pick("noun"), pick("verb")
    first = [pick("adjective")] if chance.random() < 0.5 else []
    second = [pick("adjective")] if chance.random() < 0.5 else []
    how = [pick("adverb")] if chance.random() < 0.3 else []
    source = [*_side(first, 0), actor[0], verb[0], *_side(second, 0), victim[0], *_side(how, 0)]
    target = [f"{actor[1]}o", *_side(first, 1), f"{victim[1]}am", *_side(second, 1), *_side(how, 1), verb[1]]
    return " ".join(source), " ".join(target)


def _side(words: Sequence[tuple[str, str]], language: int) -> list[str]:
    return [word[language] for word in words]


def _weights(count: int, slope: float) -> list[float]:
    return [rank**-slope for rank in range(1, count + 1)]


def _distinct(count: int, chance: random.Random) -> list[str]:
    """Different words of two or three syllables, none of which ends like an ending."""
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = ["".join(chance.choice(letters) for letters in SOUNDS) for _ in range(chance.randint(2, 3))]
        found["".join(syllables)[:-1] + chance.choice("sx")] = None
    return list(found)
