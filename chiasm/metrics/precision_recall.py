"""The precision-recall curve of a yes-or-no score: its best F1 and its area, each with an interval.

As Multimodal-Toolkit measures a binary task (sheet `text_tabular`, section 5): F1 at the threshold that is best on
the very cases that are measured, and the trapezoids under the curve, which is not the average precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chiasm.metrics.estimate import Array, Estimate, Resampling, share

Positions = NDArray[np.int64]


def evaluate(targets: ArrayLike, scores: ArrayLike, *, groups: Sequence[object] | None = None) -> dict[str, Estimate]:
    """`best_f1` and `auprc` of n cases: `targets` booleans, `scores` the higher the more positive.

    Undefined, (nan, 0, 1), without a positive case. Raises ValueError for a score that is NaN and for unequal lengths.
    """
    positive, values = np.asarray(targets, dtype=bool), np.asarray(scores, dtype=np.float64)
    if positive.shape != values.shape or values.ndim != 1:
        raise ValueError(f"targets {positive.shape} and scores {values.shape} are not two lists of equal length")
    if np.isnan(values).any():
        raise ValueError(f"score {int(np.argmax(np.isnan(values)))} is NaN")
    if not positive.any():
        return {"best_f1": share(0, 0), "auprc": share(0, 0)}
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(values[order]) != 0, True])  # the last case of each run of equal scores
    resampling = Resampling(len(values) if groups is None else groups)
    unit = resampling.unit[order]
    whole = _measures(np.ones((1, len(values))), positive[order], ends)[0]
    drawn = np.concatenate([_measures(w[:, unit], positive[order], ends) for w in resampling.weights()])
    low, high = np.nanquantile(drawn, (0.025, 0.975), axis=0)
    return {
        name: Estimate(float(v), float(min(v, lo)), float(max(v, hi)), len(values))
        for name, v, lo, hi in zip(("best_f1", "auprc"), whole, low, high, strict=True)
    }


def _measures(weights: Array, positive: NDArray[np.bool_], ends: Positions) -> Array:
    """(draws, n) weights of the cases by falling score -> (draws, 2): best F1 and area; NaN without positives."""
    hits = np.cumsum(weights * positive, axis=1)[:, ends]
    found = np.cumsum(weights, axis=1)[:, ends]
    real = hits[:, -1:]
    f1 = 2 * hits / np.maximum(found + real, 1e-12)
    precision = np.where(found > 0, hits / np.where(found > 0, found, 1), 1.0)
    recall = hits / np.where(real > 0, real, np.nan)
    # The curve begins at recall 0 with precision 1, as scikit-learn's.
    steps = np.diff(recall, prepend=0.0, axis=1)
    before = np.concatenate([np.ones((len(weights), 1)), precision[:, :-1]], axis=1)
    area = (steps * (before + precision) / 2).sum(1)
    return np.stack([np.where(real[:, 0] > 0, f1.max(1), np.nan), area], axis=1)
