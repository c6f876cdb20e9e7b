"""Counts of words and n-grams by hand, and self-BLEU against BLEU itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from chiasm.data import words
from chiasm.metrics.captions import bleu, diversity
from chiasm.metrics.captions.evaluate import evaluate

SHEET = ["a dog on a mat", "a cat on a mat", "a dog"]


def test_vocabulary_usage_equals_the_sheets() -> None:
    assert diversity.vocabulary_usage(SHEET).value == 5


def test_the_unknown_word_is_no_word_that_is_used() -> None:
    assert words.SPECIAL[words.UNKNOWN] == diversity.UNKNOWN
    assert diversity.vocabulary_usage(["a [UNK] on a mat", "[UNK]"]).value == 3
    said = ["a [UNK] on a mat", "a dog"]
    found = evaluate(said, [["a dog on a mat"], ["a dog"]])
    assert found["vocabulary_usage"].value == 4
    assert found["distinct1"].value == pytest.approx(4 / 6)
    assert found["bleu1"].value < 1  # there it is a wrong word


def test_distinct_ngrams_are_a_share_of_all() -> None:
    found = diversity.distinct(SHEET, order=2)
    assert found["distinct1"].value == pytest.approx(5 / 12)
    assert found["distinct2"].value == pytest.approx(6 / 9)


def test_intervals_of_counts_hold_the_count() -> None:
    draw = np.random.default_rng(0)
    sentences = [" ".join(f"w{int(k)}" for k in draw.zipf(1.5, 8) if k < 2000) for _ in range(300)]
    found = diversity.vocabulary_usage(sentences)
    assert found.value == len({w for s in sentences for w in s.split()})
    assert found.low < found.value < found.high


def test_rare_words_are_those_that_training_had_seldom() -> None:
    seen = Counter({"a": 500, "on": 300, "dog": 101, "mat": 100, "cat": 3})
    found = diversity.rare_words([*SHEET, "a seagull"], seen)
    assert found["rare_share"].value == pytest.approx((2 + 1 + 1) / 14)  # mat, mat, cat, seagull
    assert found["rare_used"].value == 3
    assert diversity.rare_words(SHEET, seen, at_most=2)["rare_used"].value == 0


def test_no_sentences_use_nothing() -> None:
    assert diversity.vocabulary_usage([""]).value == 0
    assert diversity.rare_words([""], {})["rare_used"].value == 0


def test_self_bleu_is_bleu_against_the_others(made_up: tuple[list[str], list[list[str]]]) -> None:
    groups = [texts for texts in made_up[1] if len(texts) > 1]
    expected = [
        bleu.scores([text], [[*texts[:k], *texts[k + 1 :]]])[0] for texts in groups for k, text in enumerate(texts)
    ]
    found = diversity.self_bleu(groups)
    assert [found[f"self_bleu{n}"].value for n in (1, 2, 3, 4)] == pytest.approx(np.mean(expected, axis=0), rel=1e-9)


def test_self_bleu_of_one_group_takes_all_others_as_references() -> None:
    found = diversity.self_bleu([["a b c d e", "a b c d e", "x y z"]])
    assert found["self_bleu4"].value == pytest.approx(2 / 3, abs=1e-6)


def test_likeness_needs_two() -> None:
    with pytest.raises(ValueError, match="group 1 has one sentence"):
        diversity.self_bleu([["a", "b"], ["c"]])
