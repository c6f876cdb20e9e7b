"""A measured number with its 95 % interval, and the clustered bootstrap that gives intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

QUANTILES = (0.025, 0.975)
CHUNK_ENTRIES = 4_000_000  # weights held at once while resampling: 32 MB


@dataclass(frozen=True)
class Estimate:
    """A value between `low` and `high` (95 %), from `n` cases.

    A `share` is in [0, 1] and printed in per cent; anything else (an error, a correlation) has a unit of its own.
    """

    value: float
    low: float
    high: float
    n: int
    share: bool = True

    def __str__(self) -> str:
        return f"{self.text(self.value)} ({self.text(self.low)}-{self.text(self.high)}, n={self.n})"

    def text(self, value: float) -> str:
        """A number in the unit of this estimate: 0.8970 -> "89.7" of a share, "0.897" otherwise."""
        return f"{100 * value:.1f}" if self.share else f"{value:.4g}"

    def to_json(self) -> dict[str, float]:
        found = {"value": self.value, "low": self.low, "high": self.high, "n": self.n}
        return found if self.share else {**found, "share": False}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave, read from a file; null there, which stands for what is undefined, becomes NaN."""
        known: dict[str, Any] = {key: math.nan if value is None else value for key, value in values.items()}
        return cls(**known)


def share(correct: float, n: int) -> Estimate:
    """Wilson's score interval of a share. n = 0 gives (nan, 0, 1)."""
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, 0)
    z, p = 1.959963984540054, correct / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Estimate(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)), n)


def mean(scores: ArrayLike, groups: Sequence[object] | None = None, *, seed: int = 0) -> Estimate:
    """The mean of per-case scores with a bootstrap interval (1,000 resamples).

    `groups` names the unit that is resampled when cases are not independent, e.g. the image of each question.
    Raises ValueError for a score that is not finite.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.size == 0:
        return share(0, 0)
    if not np.isfinite(values).all():
        raise ValueError(f"score {int(np.argmin(np.isfinite(values)))} is not a finite number")
    resampling = Resampling(values.size if groups is None else groups, seed=seed)
    columns = np.stack([values, np.ones_like(values)], axis=1)
    return resampling.of_sums(columns, lambda sums: sums[:, :1] / sums[:, 1:])[0]


class Resampling:
    """The bootstrap of n cases that come in clusters, e.g. the questions asked about one image.

    Clusters are drawn with replacement, as many as there are, `draws` times; all estimates taken from one
    object use the same draws. Every statistic here is a function of sums over cases, so a draw costs one row
    of a matrix product, however many parts are reported. (Field and Welsh 2007: why clusters are the unit.)

    `cases`: the number of independent cases, or the cluster of each case (anything with a string form).
    """

    def __init__(self, cases: int | Sequence[object], *, draws: int = 1000, seed: int = 0) -> None:
        if isinstance(cases, int):
            self.unit = np.arange(cases)
        else:
            self.unit = np.unique(np.asarray([str(c) for c in cases]), return_inverse=True)[1].reshape(-1)
        self.num_cases = len(self.unit)
        self.num_clusters = int(self.unit.max()) + 1 if self.num_cases else 0
        self.draws, self.seed = draws, seed

    def weights(self, columns: int = 1) -> Iterator[Array]:
        """(some draws, clusters): how often each cluster was drawn; all draws together in chunks.

        So many draws are in a chunk that neither it nor as many rows of `columns` numbers need much memory.
        """
        random = np.random.default_rng(self.seed)
        size, done = self.num_clusters, 0
        while done < self.draws:
            count = min(self.draws - done, max(1, CHUNK_ENTRIES // max(size, columns)))
            drawn = random.integers(0, size, (count, size)) + size * np.arange(count)[:, None]
            yield np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(np.float64)
            done += count

    def of_sums(
        self,
        columns: Array | sparse.csr_array,
        statistic: Callable[[Array], Array],
        *,
        counts: Sequence[int] | None = None,
        independent: Sequence[int] | None = None,
        remove_bias: bool = False,
    ) -> list[Estimate]:
        """Estimates of `statistic`: (draws, K) sums over cases -> (draws, P), of per-case `columns` (n, K).

        `counts` (P) is the number of cases behind each value, n when not given. `independent` (P), for values that
        are shares, the number of clusters behind each: a bootstrap of equal scores has no width, and such a value
        gets Wilson's interval with its clusters as the cases, so that "all right" is never reported as certain;
        without clusters nothing is known, and the interval is 0 to 1. `remove_bias` shifts the draws by their mean's
        distance from the value: for what noise can only raise, such as a chi-square. A value that is not defined is
        NaN, with its interval.
        """
        if self.num_cases == 0:
            raise ValueError("there are no cases to measure")
        if columns.shape[0] != self.num_cases:
            raise ValueError(f"{columns.shape[0]} rows of scores for {self.num_cases} cases")
        found = self._estimates(self.of_clusters(columns), statistic, counts, remove_bias)
        return found if independent is None else [_never_certain(e, k) for e, k in zip(found, independent, strict=True)]

    def of_clusters(self, columns: Array | sparse.csr_array) -> Array | sparse.csr_array:
        """(n, K) per case -> (clusters, K), their sums over the cases of each cluster."""
        placed = (np.ones(self.num_cases), (self.unit, np.arange(self.num_cases)))
        belongs = sparse.csr_array(placed, shape=(self.num_clusters, self.num_cases))
        table: Array | sparse.csr_array = belongs @ columns  # type: ignore[assignment]
        return table

    def shares(self, scores: ArrayLike, parts: Mapping[str, Mask]) -> dict[str, Estimate]:
        """The mean of per-case `scores` (n) in [0, 1] over each part, a mask (n) of its cases.

        A part without cases gives (nan, 0, 1); one of equal scores gets Wilson's interval, as in `of_sums`.
        """
        values = np.asarray(scores, dtype=np.float64)
        if values.shape != (self.num_cases,):
            raise ValueError(f"{values.shape} scores for {self.num_cases} cases")
        counts = [int(mask.sum()) for mask in parts.values()]
        size = self.num_clusters
        sums = [np.bincount(self.unit[mask], values[mask], size) for mask in parts.values()]
        sizes = [np.bincount(self.unit[mask], minlength=size) for mask in parts.values()]
        if not parts or not self.num_cases:
            return {name: share(0, 0) for name in parts}
        table, p = np.stack([*sums, *sizes], axis=1).astype(np.float64), len(parts)
        estimates = self._estimates(table, lambda s: _divide(s[:, :p], s[:, p:]), counts, remove_bias=False)
        found = {}
        for name, estimate, clusters in zip(parts, estimates, sizes, strict=True):
            found[name] = _never_certain(estimate, int(np.count_nonzero(clusters))) if estimate.n else share(0, 0)
        return found

    def _estimates(
        self,
        table: Array | sparse.csr_array,
        statistic: Callable[[Array], Array],
        counts: Sequence[int] | None,
        remove_bias: bool,
    ) -> list[Estimate]:
        """Of per-cluster sums (clusters, K)."""
        values = statistic(np.asarray(table.sum(0)).reshape(1, -1))[0]
        across = table.T  # so that a sparse table stays on the left of the product
        drawn = np.concatenate([statistic((across @ weights.T).T) for weights in self.weights(table.shape[1])])
        known = np.isfinite(drawn)
        some = known.any(0)
        drawn = np.where(known, drawn, np.nan)
        drawn[:, ~some] = 0.0
        if remove_bias:
            drawn = drawn - (np.nanmean(drawn, axis=0) - values)
        lows, highs = np.nanquantile(drawn, QUANTILES, axis=0)
        number = [self.num_cases] * len(values) if counts is None else counts
        return [
            Estimate(float(v), float(np.minimum(v, lo)), float(np.maximum(v, hi)), n)
            for v, lo, hi, n in zip(values, lows, highs, number, strict=True)
        ]


def members(name: str, types: Sequence[object]) -> dict[str, Mask]:
    """ "<name>/<type>" -> a mask (n) of the cases of that type, in order; a case of type None is of none."""
    codes, found = pd.factorize(np.array([None if t is None else str(t) for t in types], dtype=object))
    texts = [str(text) for text in found]
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]) if texts[i].isdigit() else 0, texts[i]))
    return {f"{name}/{texts[i]}": codes == i for i in order}


def _never_certain(estimate: Estimate, independent: int) -> Estimate:
    """A share whose resamples are all equal, with the interval of so many independent cases."""
    if estimate.low != estimate.high:
        return estimate
    wilson = share(estimate.value * independent, independent)
    return Estimate(estimate.value, wilson.low, wilson.high, estimate.n)


def _divide(numerators: Array, denominators: Array) -> Array:
    """Element by element, NaN where nothing was counted."""
    empty = denominators == 0
    return np.where(empty, np.nan, numerators / np.where(empty, 1, denominators))
