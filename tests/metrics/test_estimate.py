"""Intervals: Wilson's by its formula, the clustered bootstrap by what it must cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse, stats

from chiasm.metrics.estimate import Estimate, Resampling, mean, share


def test_wilson_interval_equals_scipys() -> None:
    for correct, n in [(0, 5), (3, 7), (50, 50), (441, 989)]:
        expected = stats.binomtest(correct, n).proportion_ci(method="wilson")
        found = share(correct, n)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_no_cases_give_the_whole_range() -> None:
    assert math.isnan(share(0, 0).value)
    assert (mean([]).low, mean([]).high) == (0.0, 1.0)


def test_a_score_that_is_not_finite_is_refused_with_its_position() -> None:
    with pytest.raises(ValueError, match="score 2"):
        mean([0.0, 1.0, math.nan])


def test_bootstrap_of_independent_cases_is_the_normal_interval() -> None:
    scores = np.random.default_rng(3).normal(5, 2, 4000)
    found = mean(scores)
    half = 1.96 * scores.std() / math.sqrt(4000)
    assert found.value == pytest.approx(scores.mean())
    assert (found.low, found.high) == pytest.approx((scores.mean() - half, scores.mean() + half), abs=0.1 * half)


def test_copies_of_cases_in_their_clusters_do_not_narrow_the_interval() -> None:
    scores = np.random.default_rng(1).integers(0, 2, 300).astype(float)
    once = mean(scores)
    copied = mean(np.repeat(scores, 10), [str(i) for i in np.repeat(np.arange(300), 10)])
    assert copied.n == 3000
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.1)
    assert mean(np.repeat(scores, 10)).high - copied.value < 0.5 * (copied.high - copied.value)


def test_estimates_are_the_same_for_a_seed_and_other_for_another() -> None:
    scores = np.random.default_rng(1).random(50)
    assert mean(scores, seed=1) == mean(scores, seed=1)
    assert mean(scores, seed=1).low != mean(scores, seed=2).low


def test_chunks_of_draws_do_not_change_the_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(1).random(50)
    whole = mean(scores)
    monkeypatch.setattr("chiasm.metrics.estimate.CHUNK_ENTRIES", 50 * 7)
    assert mean(scores) == whole


def test_intervals_cover_the_truth_in_95_of_100_samples() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        rate = np.repeat(random.beta(4, 2, 60), 5)
        found = mean((random.random(300) < rate).astype(float), list(np.repeat(np.arange(60), 5)))
        covered += found.low <= 4 / 6 <= found.high
    assert 180 <= covered <= 198


def test_parts_are_means_over_their_cases() -> None:
    scores = [1.0, 0.0, 1.0, 0.5]
    parts = {"all": np.array([True] * 4), "last": np.array([False, False, True, True])}
    found = Resampling(4).shares(scores, parts)
    assert (found["all"].value, found["all"].n) == (0.625, 4)
    assert (found["last"].value, found["last"].n) == (0.75, 2)


def test_an_empty_part_is_undefined_and_all_right_is_not_certain() -> None:
    parts = {"none": np.zeros(6, dtype=bool), "all": np.ones(6, dtype=bool)}
    found = Resampling(["a", "a", "b", "b", "c", "c"]).shares(np.ones(6), parts)
    assert math.isnan(found["none"].value)
    assert found["none"].n == 0
    assert found["all"].value == found["all"].high == 1.0
    assert found["all"].low == pytest.approx(share(3, 3).low)


def test_a_share_of_sums_without_a_width_has_the_interval_of_its_clusters() -> None:
    columns, ratio = np.ones((6, 2)), lambda sums: sums[:, :1] / sums[:, 1:]
    resampling = Resampling(["a", "a", "b", "b", "c", "c"])
    (certain,), (found,) = resampling.of_sums(columns, ratio), resampling.of_sums(columns, ratio, independent=[3])
    assert certain.low == 1.0
    assert (found.value, found.low, found.high) == (1.0, share(3, 3).low, 1.0)


def test_a_width_that_there_is_stays() -> None:
    columns, ratio = np.stack([np.arange(6) % 2, np.ones(6)], axis=1), lambda sums: sums[:, :1] / sums[:, 1:]
    assert Resampling(6).of_sums(columns, ratio, independent=[6]) == Resampling(6).of_sums(columns, ratio)


def test_an_estimate_comes_back_from_json() -> None:
    for estimate in (share(3, 7), Estimate(2.5, 1.0, 3.0, 9, share=False)):
        assert Estimate.from_json(estimate.to_json()) == estimate


def test_sparse_columns_equal_dense_ones() -> None:
    columns = np.random.default_rng(0).integers(0, 2, (40, 3)).astype(float)
    dense = Resampling(40).of_sums(columns, lambda sums: sums / 40)
    assert Resampling(40).of_sums(sparse.csr_array(columns), lambda sums: sums / 40) == dense


def test_removing_the_bias_centres_the_draws_on_the_value() -> None:
    columns = np.eye(4)[np.random.default_rng(0).integers(0, 4, 200)]
    chi = lambda sums: ((sums - 50) ** 2 / 50).sum(1, keepdims=True)  # noqa: E731
    plain, shifted = (Resampling(200).of_sums(columns, chi, remove_bias=r)[0] for r in (False, True))
    assert plain.value == shifted.value
    assert shifted.high < plain.high


def test_scores_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="3 cases"):
        Resampling(3).shares([1.0, 0.0], {})
    with pytest.raises(ValueError, match="2 rows of scores for 3 cases"):
        Resampling(3).of_sums(np.ones((2, 1)), lambda sums: sums)
