"""Paired tests: exact values where they are known, and the right error rate where systems are equal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from chiasm.metrics.compare import bootstrap, mcnemar, permutation


def test_mcnemar_is_the_sign_test_of_the_disagreements() -> None:
    first = [True] * 9 + [False] * 2 + [True] * 50
    second = [False] * 9 + [True] * 2 + [True] * 50
    found = mcnemar(first, second)
    assert found.p_value == pytest.approx(stats.binomtest(9, 11).pvalue)
    assert found.difference.value == pytest.approx(7 / 61)


def test_equal_systems_are_not_different() -> None:
    scores = np.random.default_rng(0).integers(0, 2, 50)
    for test in (mcnemar, permutation, bootstrap):
        assert test(scores, scores).p_value == 1.0
        assert test(scores, scores).difference.value == 0.0


def test_permutation_equals_scipys_exact_test() -> None:
    first, second = np.array([0.9, 0.4, 1.0, 0.7, 0.8, 0.3]), np.array([0.5, 0.5, 0.6, 0.2, 0.9, 0.1])
    exact = stats.permutation_test(
        (first, second), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert permutation(first, second).p_value == pytest.approx(exact.pvalue, abs=0.01)


def test_a_clear_difference_is_found_by_all_and_never_at_probability_zero() -> None:
    random = np.random.default_rng(0)
    first, second = random.random(400) < 0.8, random.random(400) < 0.5
    for test in (mcnemar, permutation, bootstrap):
        found = test(first, second)
        assert 0 < found.p_value < 0.001
        assert found.difference.low > 0


def test_clusters_that_agree_inside_are_not_taken_for_many_cases() -> None:
    first, second = np.repeat([1.0, 1.0, 1.0, 0.0], 50), np.repeat([0.0, 0.0, 1.0, 0.0], 50)
    images = np.repeat(np.arange(4), 50).tolist()
    assert permutation(first, second).p_value < 0.001
    assert permutation(first, second, groups=images).p_value == pytest.approx(0.5, abs=0.02)
    assert bootstrap(first, second, groups=images).p_value > 0.05


@pytest.mark.parametrize("test", [permutation, bootstrap])
def test_systems_of_equal_quality_are_called_different_in_5_of_100_trials(test) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(1)
    ps = [test(random.random(80), random.random(80), draws=400, seed=i).p_value for i in range(200)]
    assert 0.01 <= np.mean(np.array(ps) < 0.05) <= 0.1


def test_bootstrap_probability_is_two_sided() -> None:
    difference = np.random.default_rng(0).normal(0.2, 1, 200)
    below_zero = stats.norm.cdf(0, difference.mean(), difference.std() / np.sqrt(200))
    assert bootstrap(difference, np.zeros(200)).p_value == pytest.approx(2 * below_zero, abs=0.01)


def test_chunks_do_not_change_the_permutation_test(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = np.random.default_rng(0).random((2, 30))
    whole = permutation(first, second)
    monkeypatch.setattr("chiasm.metrics.compare.CHUNK_ENTRIES", 100)
    assert permutation(first, second) == whole


def test_systems_scored_on_other_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="same cases"):
        mcnemar([True], [True, False])


def test_a_comparison_reads_as_one_line() -> None:
    assert str(mcnemar([True] * 4, [False] * 4)).startswith("+100.0 (")
