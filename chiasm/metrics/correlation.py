"""Rank correlations of two lists of numbers, each with a bootstrap interval: Spearman's rho and Kendall's tau."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from chiasm.metrics.estimate import QUANTILES, Array, Estimate, Resampling

KENDALL_DRAWS = 200  # one costs a sort of all cases
Variant = Literal["b", "c"]
VARIANTS = get_args(Variant)  # b corrects for ties, c for unequal numbers of different values


def spearman(first: ArrayLike, second: ArrayLike, *, groups: Sequence[object] | None = None) -> Estimate:
    """Spearman's rho of n pairs in [-1, 1]: Pearson's r of their ranks, ties getting the mean rank.

    NaN for fewer than two pairs and where one list is constant. Intervals resample pairs (or `groups`).
    Raises ValueError for lists of other lengths and for numbers that are not finite.
    """
    a, b = _paired(first, second)
    if len(a) < 2:
        return Estimate(float("nan"), -1.0, 1.0, len(a), share=False)
    resampling = Resampling(len(a) if groups is None else groups)
    value = _rho(np.ones((1, len(a))), a, b)[0]
    drawn = np.concatenate([_rho(weights[:, resampling.unit], a, b) for weights in resampling.weights(len(a))])
    return _estimate(value, drawn, len(a))


def kendall(
    first: ArrayLike,
    second: ArrayLike,
    *,
    variant: Variant = "b",
    groups: Sequence[object] | None = None,
    draws: int = KENDALL_DRAWS,
) -> Estimate:
    """Kendall's tau-b or tau-c of n pairs in [-1, 1].

    NaN for fewer than two pairs and where one list is constant. Intervals resample pairs (or `groups`).
    Raises ValueError for lists of other lengths, numbers that are not finite, and an unknown variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r} of Kendall's tau; expected b or c")
    a, b = _paired(first, second)
    if len(a) < 2:
        return Estimate(float("nan"), -1.0, 1.0, len(a), share=False)
    resampling = Resampling(len(a) if groups is None else groups, draws=draws)
    drawn = []
    for weights in resampling.weights(len(a)):
        for row in weights:
            chosen = np.repeat(np.arange(len(a)), row[resampling.unit].astype(np.int64))
            drawn.append(_tau(a[chosen], b[chosen], variant))
    return _estimate(_tau(a, b, variant), np.array(drawn), len(a))


def _tau(a: Array, b: Array, variant: Variant) -> float:
    if a.min() == a.max() or b.min() == b.max():
        return float("nan")
    return float(stats.kendalltau(a, b, variant=variant).statistic)


def _rho(weights: Array, a: Array, b: Array) -> Array:
    """(draws, n) how often each pair was drawn -> (draws,) rho of what was drawn."""
    ranks = [_ranks(weights, values) for values in (a, b)]
    n = weights.sum(1, keepdims=True)
    x, y = ((rank - (weights * rank).sum(1, keepdims=True) / n) for rank in ranks)
    both, of_x, of_y = ((weights * p).sum(1) for p in (x * y, x * x, y * y))
    flat = (of_x <= 0) | (of_y <= 0)
    return np.where(flat, np.nan, both / np.sqrt(np.where(flat, 1.0, of_x * of_y)))


def _ranks(weights: Array, values: Array) -> Array:
    """(draws, n), (n) -> (draws, n) the mean rank of each value among the drawn ones, from 1."""
    kinds: NDArray[np.int64] = np.unique(values, return_inverse=True)[1].reshape(-1)
    order = np.argsort(kinds, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(kinds[order]) > 0])
    of_kind = np.add.reduceat(weights[:, order], starts, axis=1)
    return (np.cumsum(of_kind, axis=1) - (of_kind - 1) / 2)[:, kinds]


def _estimate(value: float, drawn: Array, n: int) -> Estimate:
    if not np.isfinite(value):
        return Estimate(float("nan"), -1.0, 1.0, n, share=False)
    low, high = np.nanquantile(drawn, QUANTILES)
    return Estimate(float(value), float(min(value, low)), float(max(value, high)), n, share=False)


def _paired(first: ArrayLike, second: ArrayLike) -> tuple[Array, Array]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"two lists of one length are needed; got {a.shape} and {b.shape} numbers")
    for what, values in [("first", a), ("second", b)]:
        if not np.isfinite(values).all():
            raise ValueError(f"number {int(np.argmin(np.isfinite(values)))} of the {what} list is not finite")
    return a, b
