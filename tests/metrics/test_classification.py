"""Classification measures: scikit-learn's values and the sheets' reference numbers."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from sklearn import metrics as sklearn

from chiasm.metrics.classification import auc, confusion, evaluate, evaluate_several
from chiasm.metrics.estimate import share

COIN_CORRECT = [51, 156, 248, 121, 206, 279]
COIN_PREDICTED = [96, 182, 413, 182, 298, 452]
COIN_SUPPORT = [144, 245, 384, 170, 299, 381]


def coin_table() -> tuple[list[int], list[int]]:
    """Targets and predictions with the counts behind COIN's printed IEMOCAP row (sheet `coin`, section 5)."""
    targets = [c for c, n in enumerate(COIN_CORRECT) for _ in range(n)]
    predictions = list(targets)
    missed = [c for c in range(6) for _ in range(COIN_SUPPORT[c] - COIN_CORRECT[c])]
    false = [c for c in range(6) for _ in range(COIN_PREDICTED[c] - COIN_CORRECT[c])]
    shift = next(s for s in range(len(false)) if all(m != false[(i + s) % len(false)] for i, m in enumerate(missed)))
    return targets + missed, predictions + [false[(i + shift) % len(false)] for i in range(len(false))]


def test_small_reference_of_the_coin_sheet() -> None:
    y, guess = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3], [0, 1, 0, 1, 1, 2, 2, 0, 3, 3]
    found = {name: e.value for name, e in evaluate(y, guess, range(4)).items()}
    assert [found[f"recall/{c}"] for c in range(4)] == pytest.approx([2 / 3, 1, 0.5, 1])
    assert [found[f"f1/{c}"] for c in range(4)] == pytest.approx([0.666667, 0.8, 0.666667, 0.666667], abs=1e-6)
    assert found["accuracy"] == pytest.approx(0.7)
    assert found["weighted_f1"] == pytest.approx(0.693333, abs=1e-6)
    assert found["macro_f1"] == pytest.approx(0.7)


def test_printed_row_of_coin_is_recomputed_from_its_counts() -> None:
    found = {name: 100 * e.value for name, e in evaluate(*coin_table(), range(6)).items()}
    assert found["accuracy"] == pytest.approx(65.372766, abs=1e-6)
    assert found["weighted_precision"] == pytest.approx(66.048921, abs=1e-6)
    assert found["weighted_f1"] == pytest.approx(65.165268, abs=1e-6)
    assert found["macro_f1"] == pytest.approx(63.758302, abs=1e-6)
    assert [round(found[f"f1/{c}"], 2) for c in range(6)] == [42.50, 73.07, 62.23, 68.75, 69.01, 66.99]


def test_reference_of_the_text_and_tables_sheet() -> None:
    found = evaluate([0, 1, 2, 2, 1, 4, 3, 2], [0, 2, 2, 2, 1, 2, 2, 2], range(5))
    assert found["macro_f1"].value == pytest.approx(0.466667, abs=1e-6)
    assert found["micro_f1"].value == pytest.approx(0.625)


def test_one_label_measures_equal_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels = ["a", "b", "c", "never seen", "never right"]
    targets = random.choice(labels[:3], 200).tolist()
    guesses = [t if random.random() < 0.5 else str(random.choice(["a", "b", "never right"])) for t in targets]
    found = evaluate(targets, guesses, labels)
    for average in ("macro", "weighted", "micro"):
        expected = sklearn.precision_recall_fscore_support(targets, guesses, average=average, zero_division=0)
        for kind, value in zip(("precision", "recall", "f1"), expected[:3], strict=True):
            assert found[f"{average}_{kind}"].value == pytest.approx(value)
    assert found["accuracy"].value == pytest.approx(sklearn.accuracy_score(targets, guesses))
    assert found["f1/never seen"].value == 0.0
    assert (confusion(targets, guesses, labels) == sklearn.confusion_matrix(targets, guesses, labels=labels)).all()
    assert all(e.low <= e.value <= e.high for e in found.values())


def test_several_label_measures_equal_scikit_learn_and_the_msd_sheet() -> None:
    y, guess = [[1, 0, 1], [0, 1, 0], [1, 1, 0]], [[1, 0, 0], [0, 1, 1], [1, 0, 0]]
    found = evaluate_several(y, guess, ["x", "y", "z"])
    assert found["micro_f1"].value == pytest.approx(0.666667, abs=1e-6)
    assert found["macro_f1"].value == pytest.approx(0.555556, abs=1e-6)
    assert found["weighted_f1"].value == pytest.approx(
        sklearn.f1_score(np.array(y), np.array(guess), average="weighted", zero_division=0)
    )
    assert found["accuracy"].value == 0.0


def test_area_under_the_curve_equals_scikit_learn_and_the_msd_sheet() -> None:
    assert auc([0, 0, 1, 1, 1], [0.1, 0.6, 0.35, 0.6, 0.9]).value == pytest.approx(0.75)
    random = np.random.default_rng(0)
    y, scores = random.integers(0, 2, 400), np.round(random.random(400), 1)
    found = auc(y, scores + 0.2 * y)
    assert found.value == pytest.approx(sklearn.roc_auc_score(y, scores + 0.2 * y))
    assert found.low < found.value < found.high


def test_area_is_undefined_for_one_class_and_nan_scores_are_refused() -> None:
    assert math.isnan(auc([1, 1], [0.2, 0.3]).value)
    with pytest.raises(ValueError, match="score 1 is NaN"):
        auc([1, 0], [0.2, math.nan])


def test_an_interval_of_f1_covers_what_many_samples_give() -> None:
    random = np.random.default_rng(0)
    widths, values = [], []
    for _ in range(30):
        y = random.integers(0, 2, 300)
        guess = np.where(random.random(300) < 0.8, y, 1 - y)
        found = evaluate(y.tolist(), guess.tolist(), [0, 1])["macro_f1"]
        widths.append(found.high - found.low)
        values.append(found.value)
    assert np.mean(widths) == pytest.approx(2 * 1.96 * np.std(values), rel=0.35)


@pytest.mark.parametrize("groups", [None, ["x", "x", "y", "y", "z"]])
def test_all_right_is_as_uncertain_in_every_measure_as_in_accuracy(groups: list[str] | None) -> None:
    found = evaluate(list("ababa"), list("ababa"), list("abc"), groups=groups)
    for average in ("macro", "weighted", "micro"):
        assert found[f"{average}_f1"] == found["accuracy"]
    assert found["accuracy"].low < 0.6


def test_no_measure_of_a_label_is_certain() -> None:
    """Right thrice, never right though predicted, never predicted, neither predicted nor true."""
    found = evaluate(list("aaab") * 2, list("aaac") * 2, list("abcd"))
    assert (found["recall/a"].low, found["recall/a"].high) == (share(6, 6).low, 1.0)
    assert (found["precision/c"].low, found["precision/c"].high) == (0.0, share(0, 2).high)
    assert (found["f1/b"].value, found["f1/b"].high) == (0.0, share(0, 2).high)
    assert (found["f1/d"].value, found["f1/d"].low, found["f1/d"].high, found["f1/d"].n) == (0.0, 0.0, 1.0, 0)
    assert all(estimate.low < estimate.high for estimate in found.values())


def test_several_labels_all_right_are_not_certain() -> None:
    found = evaluate_several(np.eye(4), np.eye(4), list("abcd"))
    assert found["micro_f1"].low == found["accuracy"].low == share(4, 4).low


def test_labels_that_are_not_listed_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="prediction 1 is 'z'"):
        evaluate(["a", "b"], ["a", "z"], ["a", "b"])
    with pytest.raises(ValueError, match="1 predictions for 2 targets"):
        evaluate(["a", "b"], ["a"], ["a", "b"])
    with pytest.raises(ValueError, match="not distinct"):
        evaluate(["a"], ["a"], ["a", "a"])


def test_nothing_warns_about_classes_without_cases() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(["a"], ["b"], ["a", "b", "c"])
