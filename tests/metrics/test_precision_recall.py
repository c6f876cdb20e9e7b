"""Best F1 and the area under the precision-recall curve: the sheet's values and scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import auc, precision_recall_curve

from chiasm.metrics.precision_recall import evaluate

Y, S = [1, 0, 1, 1, 0], [0.9, 0.8, 0.4, 0.3, 0.2]


def test_the_sheets_values() -> None:
    found = evaluate(Y, S)
    assert found["best_f1"].value == pytest.approx(0.857143, abs=1e-6)
    assert found["auprc"].value == pytest.approx(0.763889, abs=1e-6)


@pytest.mark.parametrize("decimals", [1, 8])  # with and without equal scores
def test_equal_to_scikit_learns_curve(decimals: int) -> None:
    random = np.random.default_rng(0)
    y = random.random(200) < 0.3
    s = (random.random(200) + 0.4 * y).round(decimals)
    precision, recall, _ = precision_recall_curve(y, s)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    found = evaluate(y, s)
    assert found["auprc"].value == pytest.approx(auc(recall, precision), abs=1e-12)
    assert found["best_f1"].value == pytest.approx(f1.max(), abs=1e-12)
    assert all(e.low < e.value < e.high for e in found.values())


def test_calling_everything_positive_is_the_floor_of_best_f1() -> None:
    y = np.arange(10_000) < 8223  # the share of recommended garments
    found = evaluate(y, np.zeros(10_000))
    assert found["best_f1"].value == pytest.approx(0.902486, abs=1e-6)


def test_without_a_positive_case_nothing_is_defined() -> None:
    assert math.isnan(evaluate([0, 0], [0.1, 0.2])["best_f1"].value)


def test_a_score_that_is_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="score 1 is NaN"):
        evaluate([0, 1], [0.1, math.nan])
