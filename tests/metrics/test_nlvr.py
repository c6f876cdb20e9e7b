"""NLVR2's accuracy and consistency, on identifiers built to have the development set's structure."""

from __future__ import annotations

import numpy as np
import pytest

from chiasm.metrics.nlvr import evaluate, image_set_of, sentence_of


def development_set() -> tuple[list[str], list[bool]]:
    """6,982 examples in 2,018 sentences of 1 to 4 pairs, 3,551 true, 78 sentences with nothing but true ones."""
    identifiers, labels = [], []
    sizes = np.repeat([4, 3, 2, 1], [1196, 590, 196, 36])
    for number, size in enumerate(sizes.tolist()):
        always = number >= len(sizes) - 78  # 36 sentences of one pair, 42 of two
        identifiers += [f"dev-{number // 2}-{pair}-{number % 2}" for pair in range(size)]
        labels += [always or pair > 0 for pair in range(size)]
    surplus = sum(labels) - 3551
    changed = [i for i, name in enumerate(identifiers) if name.split("-")[2] == "1" and labels[i]][:surplus]
    return identifiers, [label and i not in set(changed) for i, label in enumerate(labels)]


def test_always_true_has_the_sheets_numbers_on_the_development_set() -> None:
    identifiers, labels = development_set()
    measures = evaluate(labels, [sentence_of(i) for i in identifiers], [image_set_of(i) for i in identifiers])
    assert (len(labels), sum(labels)) == (6982, 3551)
    assert measures["accuracy"].value == pytest.approx(0.5086, abs=5e-5)
    assert measures["accuracy"].n == 6982
    assert measures["consistency"].value == pytest.approx(0.0387, abs=5e-5)
    assert measures["consistency"].n == 2018


def test_one_wrong_pair_spoils_its_sentence_only() -> None:
    identifiers = ["dev-1-0-0", "dev-1-1-0", "dev-1-0-1", "dev-1-1-1", "dev-2-0-0"]
    measures = evaluate([True, False, True, True, True], [sentence_of(i) for i in identifiers])
    assert measures["accuracy"].value == pytest.approx(0.8)
    assert measures["consistency"].value == pytest.approx(2 / 3)


def test_the_sentence_is_the_identifier_without_its_pair() -> None:
    assert sentence_of("test1-630-2-0") == sentence_of("test1-630-3-0") != sentence_of("test1-630-2-1")
    assert image_set_of("test1-630-2-0") == "test1-630"


def test_an_identifier_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="'1304-0': expected split-set-pair-sentence"):
        sentence_of("1304-0")


def test_without_sentences_there_is_only_accuracy() -> None:
    assert set(evaluate([True, False], None)) == {"accuracy"}
