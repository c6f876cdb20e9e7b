"""Captions that are made up: sentences over few words, so that n-grams meet, of all lengths from none."""

from __future__ import annotations

import random

import pytest

WORDS = ["a", "the", "dog", "cat", "runs", "on", "grass", "red", "big", "small", "and", "with", "in", "of", "ball"]


@pytest.fixture(scope="session")
def made_up() -> tuple[list[str], list[list[str]]]:
    """60 hypotheses with one to six references each, the first hypothesis empty, the second equal to a reference."""
    draw = random.Random(3)

    def sentence(least: int) -> str:
        return " ".join(draw.choices(WORDS, k=draw.randint(least, 14)))

    references = [[sentence(1) for _ in range(draw.randint(1, 6))] for _ in range(60)]
    hypotheses = [sentence(0) for _ in references]
    return ["", references[1][0], *hypotheses[2:]], references
