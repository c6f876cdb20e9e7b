"""METEOR by hand: its formula, its alignments, its stages; the stemmer against Snowball's own words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chiasm.metrics.captions.align import align
from chiasm.metrics.captions.meteor import Meteor
from chiasm.metrics.captions.stem import stem
from chiasm.metrics.wordnet import WordNet

from .. import small_wordnet


def score(hypothesis: str, reference: str) -> float:
    return float(Meteor().scores([hypothesis], [[reference]])[0])


def by_formula(precision: float, recall: float, chunks: float, matches: float) -> float:
    f = precision * recall / (0.85 * precision + 0.15 * recall)
    return f * (1 - 0.6 * (chunks / matches) ** 0.2)


def test_equal_sentences_score_one() -> None:
    assert score("a dog runs on grass", "a dog runs on grass") == pytest.approx(1.0)


def test_sentences_without_a_common_word_score_nothing() -> None:
    assert score("a dog", "the cats") == 0.0
    assert score("", "a dog") == 0.0


def test_function_words_weigh_a_third_of_content_words() -> None:
    # matched: "a" (function), "dog" (content); one chunk of two matches
    precision = (0.75 * 1 + 0.25 * 1) / (0.75 * 2 + 0.25 * 1)
    recall = (0.75 * 1 + 0.25 * 1) / (0.75 * 3 + 0.25 * 1)
    assert score("a dog runs", "a dog sleeps soundly") == pytest.approx(by_formula(precision, recall, 1, 2))


def test_words_of_one_stem_match_at_six_tenths() -> None:
    assert score("dogs running", "dogs runs") == pytest.approx(1.6 / 2)  # found whole, so without penalty
    assert score("dogs running", "dogs runs fast") == pytest.approx(by_formula(1.6 / 2, 1.6 / 3, 1, 2))


def test_synonyms_match_at_eight_tenths_where_wordnet_is_present(tmp_path: Path) -> None:
    meteor = Meteor(WordNet(small_wordnet.write(tmp_path)))
    assert meteor.name == "meteor_exact_stem_synonym"
    assert meteor.scores(["kids run"], [["children run"]])[0] == pytest.approx(1.8 / 2)
    assert Meteor().name == "meteor_exact_stem"
    assert Meteor().scores(["kids run"], [["children run"]])[0] == pytest.approx(by_formula(1 / 2, 1 / 2, 1, 1))


def test_the_best_reference_counts() -> None:
    found = Meteor().scores(["a dog runs"], [["the cats", "a dog runs", "a dog"]])
    assert found[0] == pytest.approx(1.0)


def test_a_corpus_is_scored_by_its_sums() -> None:
    meteor = Meteor()
    hypotheses, references = ["red dog runs", "cat sleeps"], [["red dog sleeps"], ["cat sleeps"]]
    precision = (2 + 2) / (3 + 2)
    expected = by_formula(precision, precision, 1 + 1, 2 + 2)
    assert meteor.score(hypotheses, references)["meteor_exact_stem"].value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first", "second", "places", "chunks"),
    [
        ("a b c", "a b c", [(0, 0), (1, 1), (2, 2)], 1),
        ("a b c", "c a b", [(2, 0), (0, 1), (1, 2)], 2),
        ("the dog the cat", "the cat", [(2, 0), (3, 1)], 1),  # fewest chunks
        ("a x a", "a", [(0, 0)], 1),  # nearest
        ("b x b", "y z b", [(2, 2)], 1),
        ("a b", "x y", [], 0),
        ("", "a", [], 0),
    ],
)
def test_alignments_have_most_words_then_fewest_chunks_then_least_distance(
    first: str, second: str, places: list[tuple[int, int]], chunks: int
) -> None:
    matches, found = align(first.split(), second.split(), [])
    assert [(m.first, m.second) for m in matches] == places
    assert found == chunks


def test_a_word_is_used_once() -> None:
    matches, _ = align(["dog"], ["dog", "dog", "dog"], [])
    assert len(matches) == 1


def test_intervals_resample_images(made_up: tuple[list[str], list[list[str]]]) -> None:
    found = Meteor().score(*made_up)["meteor_exact_stem"]
    assert found.low < found.value < found.high
    assert found.n == 60
    assert np.mean(Meteor().scores(*made_up)) == pytest.approx(found.value, abs=0.1)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("running", "run"), ("runs", "run"), ("ran", "ran"), ("dogs", "dog"), ("babies", "babi"), ("ties", "tie"),
        ("hopping", "hop"), ("hoping", "hope"), ("generously", "generous"), ("skies", "sky"), ("dying", "die"),
        ("happily", "happili"), ("gas", "gas"), ("kiwis", "kiwi"), ("news", "news"), ("outing", "outing"),
        ("relational", "relat"), ("conditional", "condit"), ("sensational", "sensat"), ("activate", "activ"),
        ("communication", "communic"), ("arsenal", "arsenal"), ("yellow", "yellow"), ("playing", "play"),
        ("agreed", "agre"), ("feed", "feed"), ("luxuriated", "luxuri"), ("controll", "control"), ("dog's", "dog"),
        ("by", "by"), ("say", "say"), ("cry", "cri"), ("enjoy", "enjoy"), ("adoption", "adopt"), ("rate", "rate"),
        ("bookshelves", "bookshelv"), ("geology", "geolog"), ("lowly", "lowli"), ("decisively", "decis"),
    ],
)  # fmt: skip
def test_stems_are_snowballs(word: str, expected: str) -> None:
    assert stem(word) == expected
