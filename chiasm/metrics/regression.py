"""Errors and correlation of predicted numbers, each with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from chiasm.metrics.estimate import Array, Estimate, Resampling


def evaluate(
    targets: ArrayLike, predictions: ArrayLike, *, groups: Sequence[object] | None = None
) -> dict[str, Estimate]:
    """`mae`, `rmse`, `r2` and `pearson` of n numbers; `groups` names the clusters that are resampled.

    r2 = 1 - squared error / squared deviation of the targets from their mean: 0 for predicting that mean. Where
    targets (or, for pearson, predictions) are all equal the value is NaN. Raises ValueError for numbers that are
    not finite or not paired.
    """
    true, predicted = np.asarray(targets, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    if true.ndim != 1 or true.shape != predicted.shape:
        raise ValueError(f"targets {true.shape} and predictions {predicted.shape} are not two lists of equal length")
    for what, values in [("target", true), ("prediction", predicted)]:
        if not np.isfinite(values).all():
            raise ValueError(f"{what} {int(np.argmin(np.isfinite(values)))} is not a finite number")
    if not len(true):
        raise ValueError("there are no numbers to measure")
    # Sums of squares keep their digits when the numbers are centred and scaled, which r2 and pearson do not see.
    scale = true.std() or 1.0
    t, p = (true - true.mean()) / scale, (predicted - true.mean()) / scale
    error = predicted - true
    columns = np.stack([np.ones_like(t), np.abs(error), error**2, (p - t) ** 2, t, p, t * t, p * p, t * p], axis=1)
    resampling = Resampling(len(t) if groups is None else groups)
    found = resampling.of_sums(columns, _statistics)
    names = ["mae", "rmse", "r2", "pearson"]
    return {name: replace(estimate, share=False) for name, estimate in zip(names, found, strict=True)}


def _statistics(sums: Array) -> Array:
    """(draws, 9) sums of 1, |e|, e^2, scaled e^2, t, p, t^2, p^2, tp -> (draws, 4)."""
    n, absolute, squared, scaled, t, p, tt, pp, tp = sums.T
    spread_t, spread_p = tt - t * t / n, pp - p * p / n
    tiny = 1e-12 * n  # rounding left in a sum of n squares of numbers about 1
    flat_t, flat_p = spread_t <= tiny, spread_p <= tiny * np.maximum(1, pp / n)
    r2 = np.where(flat_t, np.nan, 1 - scaled / np.where(flat_t, 1, spread_t))
    flat = flat_t | flat_p
    pearson = np.where(flat, np.nan, (tp - t * p / n) / np.sqrt(np.where(flat, 1, spread_t * spread_p)))
    return np.stack([absolute / n, np.sqrt(squared / n), r2, pearson], axis=1)
