"""Two words; the answer is whether they are in alphabetical order."""

from __future__ import annotations

import random

from chiasm.data.example import Example

WORDS = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay")


def read(folder, split, *, count: int = 200, bad: int = 0, extra: bool = False) -> list[Example]:
    drawn = random.Random(split)
    examples = []
    for number in range(count):
        pair = drawn.sample(WORDS, 2)
        words = " ".join([*pair, "and", "more"][: 2 + 2 * (extra and number % 3 == 0)])
        text = "" if number < bad else words
        examples.append(
            Example(f"{split}{number}", {"text": text, "answer": pair[0] < pair[1]}, origin=f"line {number}")
        )
    return examples
