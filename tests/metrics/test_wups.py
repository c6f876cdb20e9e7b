"""WUPS: the formula of sets, the threshold, and values of WordNet."""

from __future__ import annotations

import pytest

from chiasm.metrics import wups
from chiasm.metrics.wordnet import DEFAULT_FOLDER, WordNet


def alike(first: str, second: str) -> float:
    """A similarity by hand: 0.5 for words with the same first letter."""
    return 1.0 if first == second else 0.5 if first[0] == second[0] else 0.0


@pytest.mark.parametrize(
    ("said", "true", "expected"),
    [
        (["lamp"], ["lamp"], 1.0),
        (["lamp"], ["light"], 0.5),
        (["lamp"], ["book"], 0.0),
        (["lamp", "book"], ["book", "lamp"], 1.0),
        (["lamp"], ["lamp", "book"], 0.0),  # the book is not said
        (["lamp"], ["lamp", "light"], 0.5),
        (["lamp", "light"], ["lamp", "lid"], 0.5),
        (["lamp", "light", "lid"], ["lamp"], 0.25),  # two words too many, half as good each
        ([], [], 1.0),
        (["lamp"], [], 0.0),
        ([], ["lamp"], 0.0),
    ],
)
def test_a_set_scores_what_its_worst_side_scores(said: list[str], true: list[str], expected: float) -> None:
    assert wups.score(said, true, alike) == pytest.approx(expected)
    assert wups.score(true, said, alike) == pytest.approx(expected)


def test_equality_counts_equal_sets() -> None:
    assert wups.score(["a", "b"], ["b", "a"], wups.equal) == 1
    assert wups.score(["a", "b"], ["a"], wups.equal) == 0


@pytest.fixture(scope="module")
def wordnet() -> WordNet:
    if not (DEFAULT_FOLDER / "data.noun").is_file():
        pytest.skip("WordNet is not installed (Debian: wordnet-base)")
    return WordNet()


def test_below_the_threshold_a_tenth_counts(wordnet: WordNet) -> None:
    similar = wordnet.similarity("chair", "stool")
    assert 0.9 <= similar < 1
    assert wups.wup(wordnet, 0.9)("chair", "stool") == similar
    assert wups.wup(wordnet, 0.99)("chair", "stool") == pytest.approx(0.1 * similar)
    far = wordnet.similarity("chair", "dog")
    assert 0 < far < 0.9
    assert wups.wup(wordnet, 0.9)("chair", "dog") == pytest.approx(0.1 * far)
    assert wups.wup(wordnet, 0.0)("chair", "dog") == far


def test_the_same_word_counts_fully_even_when_wordnet_does_not_know_it(wordnet: WordNet) -> None:
    assert wups.wup(wordnet, 0.9)("whiteboard_eraser", "whiteboard_eraser") == 1
    assert wups.wup(wordnet, 0.9)("whiteboard_eraser", "chair") == 0
