"""A measured number with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Estimate:
    """A value between `low` and `high` (95 %), from `n` cases. Shares are in [0, 1]."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} ({100 * self.low:.1f}-{100 * self.high:.1f}, n={self.n})"

    def to_json(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


def share(correct: int, n: int) -> Estimate:
    """Wilson's score interval of a share. n = 0 gives (nan, 0, 1)."""
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, 0)
    z, p = 1.959963984540054, correct / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Estimate(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)), n)


def mean(
    scores: Sequence[float] | NDArray[np.float64], groups: Sequence[object] | None = None, *, seed: int = 0
) -> Estimate:
    """The mean of per-case scores with a bootstrap interval (1,000 resamples).

    `groups` names the unit that is resampled when cases are not independent, e.g. the image of each question.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.size == 0:
        return Estimate(math.nan, 0.0, 1.0, 0)
    if groups is None:
        sums, counts = values, np.ones_like(values)
    else:
        _, unit = np.unique(np.asarray([str(g) for g in groups]), return_inverse=True)
        sums, counts = np.bincount(unit, values), np.bincount(unit).astype(np.float64)
    random = np.random.default_rng(seed)
    draws = np.array([_resample(sums, counts, random) for _ in range(1000)])
    low, high = np.quantile(draws, [0.025, 0.975])
    value = float(values.mean())
    return Estimate(value, min(value, float(low)), max(value, float(high)), values.size)


def _resample(sums: NDArray[np.float64], counts: NDArray[np.float64], random: np.random.Generator) -> float:
    chosen = random.integers(0, len(sums), len(sums))
    return float(sums[chosen].sum() / counts[chosen].sum())
