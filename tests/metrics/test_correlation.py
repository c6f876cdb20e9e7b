"""Rank correlations against scipy's, and what they say of words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from chiasm.metrics.correlation import Variant, kendall, spearman
from chiasm.metrics.word_vectors import magnitude_and_frequency, relations


def tied(seed: int, n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    first = draw.integers(0, 8, n).astype(float)
    return first, np.round(first + draw.normal(0, 3, n))


def test_spearman_equals_scipys_with_ties() -> None:
    first, second = tied(0)
    found = spearman(first, second)
    assert found.value == pytest.approx(stats.spearmanr(first, second).statistic, rel=1e-12)
    assert found.low < found.value < found.high


def test_a_bootstrap_draw_of_spearman_is_that_of_the_drawn_pairs() -> None:
    from chiasm.metrics.correlation import _rho

    first, second = tied(1)
    weights = np.random.default_rng(0).integers(0, 4, (3, len(first))).astype(float)
    expected = [
        stats.spearmanr(np.repeat(first, row.astype(int)), np.repeat(second, row.astype(int))).statistic
        for row in weights
    ]
    assert _rho(weights, first, second) == pytest.approx(np.array(expected), rel=1e-9)


@pytest.mark.parametrize("variant", ["b", "c"])
def test_kendall_equals_scipys(variant: Variant) -> None:
    first, second = tied(2)
    found = kendall(first, second, variant=variant, draws=50)
    assert found.value == pytest.approx(stats.kendalltau(first, second, variant=variant).statistic, rel=1e-12)
    assert found.low < found.value < found.high


def test_groups_widen_the_interval_of_cases_that_are_not_independent() -> None:
    first, second = (np.tile(values, 10) for values in tied(3, 30))
    alone = spearman(first, second)
    grouped = spearman(first, second, groups=np.tile(np.arange(30), 10).tolist())
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_a_constant_list_has_no_correlation() -> None:
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3]).value)
    assert np.isnan(kendall([1, 2, 3], [1, 1, 1]).value)


@pytest.mark.parametrize("measure", [spearman, kendall])
def test_lists_that_do_not_fit_are_refused(measure: object) -> None:
    with pytest.raises(ValueError, match="two lists of one length"):
        measure([1, 2], [1, 2, 3])  # type: ignore[operator]
    with pytest.raises(ValueError, match="number 1 of the second list is not finite"):
        measure([1, 2], [1, float("nan")])  # type: ignore[operator]


def test_magnitude_and_frequency_equals_the_sheets_value() -> None:
    vectors = np.array([[1, 0], [0, 1.2], [1.1, 0], [2, 0], [1.5, 2]])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1.2, 1.1, 2, 2.5])
    assert magnitude_and_frequency(vectors, [100, 60, 80, 5, 5]).value == pytest.approx(-0.974679, abs=5e-7)


def test_relations_equal_the_sheets_value() -> None:
    vectors, words = [[1, 0], [0.8, 0.6], [0, 1], [-0.6, 0.8]], {"a": 0, "b": 1, "c": 2, "d": 3}
    judged = [("a", "b", 9.0), ("a", "c", 2.0), ("b", "c", 7.0), ("a", "d", 1.0), ("a", "unknown", 5.0)]
    found = relations(vectors, words, judged)
    assert found.rho.value == pytest.approx(1.0)
    assert (found.covered, found.pairs) == (4, 5)
    # 1, 2, 7, 9 against cosines -.6, 0, .6, .8: distances would give -1


def test_relations_without_known_words_are_not_defined() -> None:
    assert np.isnan(relations([[1.0, 0.0]], {"a": 0}, [("b", "c", 1.0)]).rho.value)


def test_drawn_vectors_do_not_know_frequencies_and_planted_ones_do() -> None:
    draw = np.random.default_rng(0)
    frequencies = 1e5 / np.arange(1, 501)  # Zipf's
    drawn = draw.uniform(-10, 10, (500, 64))
    learned = drawn / np.linalg.norm(drawn, axis=1, keepdims=True) * np.log(1e6 / frequencies)[:, None]
    assert abs(magnitude_and_frequency(drawn, frequencies).value) < 0.3
    assert magnitude_and_frequency(learned, frequencies).value == pytest.approx(-1.0)
