"""Is one system better than another? Paired tests of two systems on the same cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from chiasm.metrics.estimate import CHUNK_ENTRIES, Array, Estimate, Resampling, mean


@dataclass(frozen=True)
class Comparison:
    """First system minus second: the difference of their means with its interval, and how probable it is by chance."""

    difference: Estimate  # from the paired bootstrap; shares differ by -1 to 1
    p_value: float  # two-sided, under "the systems are equal"
    test: str

    def __str__(self) -> str:
        d = self.difference
        return f"{100 * d.value:+.1f} ({100 * d.low:+.1f} to {100 * d.high:+.1f}), p = {self.p_value:.3g} ({self.test})"


def mcnemar(first: ArrayLike, second: ArrayLike) -> Comparison:
    """McNemar's exact test of two lists (n) of right and wrong: a sign test on the cases where only one is right.

    For independent cases; where several belong to one image use `permutation`. Raises ValueError for other lengths.
    """
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    difference = _difference(a, b)
    only_first, only_second = int((a & ~b).sum()), int((~a & b).sum())
    disagreements = only_first + only_second
    p_value = float(stats.binomtest(only_first, disagreements).pvalue) if disagreements else 1.0
    return Comparison(mean(difference), p_value, "McNemar exact")


def permutation(
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    draws: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """The paired permutation test of two lists (n) of scores: the systems' names are swapped at random, case by case.

    With `groups` they are swapped for a whole cluster at once. The p-value counts the observed order among the
    draws, so it is never 0 (Phipson and Smyth 2010).
    """
    difference = _difference(first, second)
    unit = Resampling(len(difference) if groups is None else groups).unit
    totals = np.bincount(unit, difference)
    totals = totals[totals != 0]  # a swap there changes nothing
    observed, random, as_large = abs(totals.sum()), np.random.default_rng(seed), 0
    at_once = max(1, CHUNK_ENTRIES // max(1, len(totals)))
    for start in range(0, draws, at_once):
        signs = random.integers(0, 2, (min(at_once, draws - start), len(totals))) * 2 - 1
        as_large += int((np.abs(signs @ totals) >= observed - 1e-9).sum())
    return Comparison(mean(difference, groups, seed=seed), (as_large + 1) / (draws + 1), "paired permutation")


def bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    draws: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """The paired bootstrap test of two lists (n) of scores: how often the sign of the difference turns, twice."""
    difference = _difference(first, second)
    resampling = Resampling(len(difference) if groups is None else groups, draws=draws, seed=seed)
    totals = np.bincount(resampling.unit, difference)
    drawn = np.concatenate([weights @ totals for weights in resampling.weights()])
    turned = min((drawn <= 0).sum(), (drawn >= 0).sum())
    p_value = min(1.0, 2 * (int(turned) + 1) / (draws + 1))
    return Comparison(mean(difference, groups, seed=seed), p_value, "paired bootstrap")


def _difference(first: ArrayLike, second: ArrayLike) -> Array:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or not a.size:
        raise ValueError(f"two systems must be scored on the same cases; got {a.shape} and {b.shape} scores")
    return a - b
