"""Regression measures equal scikit-learn's, whatever the scale of the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn

from chiasm.metrics.regression import evaluate


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1e-3, 1e4), (1e6, -1e7)])
def test_measures_equal_scikit_learn(scale: float, offset: float) -> None:
    random = np.random.default_rng(0)
    y = random.normal(size=200) * scale + offset
    guess = y + random.normal(size=200) * 0.5 * scale
    found = evaluate(y, guess)
    assert found["mae"].value == pytest.approx(sklearn.mean_absolute_error(y, guess))
    assert found["rmse"].value == pytest.approx(sklearn.root_mean_squared_error(y, guess))
    assert found["r2"].value == pytest.approx(sklearn.r2_score(y, guess))
    assert found["pearson"].value == pytest.approx(stats.pearsonr(y, guess).statistic)
    assert all(e.low < e.value < e.high for e in found.values())


def test_reference_of_the_text_and_tables_sheet() -> None:
    found = evaluate([100, 200, 50], [110, 170, 55])
    assert found["rmse"].value == pytest.approx(18.484228, abs=1e-6)
    assert found["mae"].value == pytest.approx(15)


def test_correlation_with_a_constant_is_undefined() -> None:
    found = evaluate([1.0, 2.0, 3.0], [2.2, 2.2, 2.2])
    assert math.isnan(found["pearson"].value)
    assert found["r2"].value == pytest.approx(1 - 2.12 / 2)
    constant = evaluate([2.2, 2.2, 2.2], [1.0, 2.0, 3.0])
    assert math.isnan(constant["r2"].value)
    assert math.isnan(constant["pearson"].value)


def test_numbers_that_are_not_finite_or_not_paired_are_refused() -> None:
    with pytest.raises(ValueError, match="prediction 1 is not a finite number"):
        evaluate([1.0, 2.0], [1.0, math.nan])
    with pytest.raises(ValueError, match="equal length"):
        evaluate([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="no numbers"):
        evaluate([], [])
