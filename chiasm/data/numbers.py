"""A table's numeric columns made comparable: missing values filled, then a transform fitted on given rows.

The fitted state is plain numbers, kept as JSON; scikit-learn's definitions, without its objects (which are pickles).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from chiasm.data.example import DataError
from chiasm.registry import UnknownName, nearest

Array = NDArray[np.float64]


class Transform(ABC):
    """One column's strictly increasing map, learnt from its known values."""

    name: ClassVar[str]

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state = dict(state)

    @classmethod
    @abstractmethod
    def fit(cls, values: Array) -> Self:
        """Learn from finite values (n,). Raises ValueError saying what about them does not fit."""

    @abstractmethod
    def __call__(self, values: Array) -> Array:
        """(n,) -> (n,)."""


class Unchanged(Transform):
    """The values as they are."""

    name = "none"

    @classmethod
    def fit(cls, values: Array) -> Self:
        return cls({})

    def __call__(self, values: Array) -> Array:
        return values


class Standard(Transform):
    """(value - mean) / deviation."""

    name = "standard"

    @classmethod
    def fit(cls, values: Array) -> Self:
        return cls({"mean": float(values.mean()), "deviation": float(values.std()) or 1.0})

    def __call__(self, values: Array) -> Array:
        return np.asarray((values - self.state["mean"]) / self.state["deviation"])


class QuantileNormal(Transform):
    """The value's rank as a quantile of the normal distribution: at most 1,000 quantiles, ends clipped at 5.2.

    As scikit-learn's QuantileTransformer(output_distribution="normal"): the mean of interpolating from below and
    from above, so that a value that many rows share gets the middle of its ranks.
    """

    name = "quantile_normal"
    QUANTILES = 1000
    EDGE = 1e-7 - np.spacing(1)

    @classmethod
    def fit(cls, values: Array) -> Self:
        shares = np.linspace(0, 1, min(cls.QUANTILES, len(values)))
        quantiles = np.maximum.accumulate(np.percentile(values, shares * 100))
        return cls({"quantiles": quantiles.tolist()})

    def __call__(self, values: Array) -> Array:
        quantiles = np.asarray(self.state["quantiles"], dtype=np.float64)
        shares = np.linspace(0, 1, len(quantiles))
        up = np.interp(values, quantiles, shares)
        down = np.interp(-values, -quantiles[::-1], -shares[::-1])
        share = (up - down) / 2
        share = np.where(values <= quantiles[0], 0.0, np.where(values >= quantiles[-1], 1.0, share))
        if quantiles[0] == quantiles[-1]:  # one value only: its rank says nothing
            share = np.where(values == quantiles[0], 0.5, share)
        edge = stats.norm.ppf(self.EDGE)
        return np.clip(stats.norm.ppf(share), edge, -edge)


class YeoJohnson(Transform):
    """Yeo and Johnson's power, chosen by maximum likelihood, then standardised."""

    name = "yeo_johnson"

    @classmethod
    def fit(cls, values: Array) -> Self:
        power = 1.0 if np.ptp(values) == 0 else float(stats.yeojohnson_normmax(values))
        return cls({"power": power, **Standard.fit(_yeo_johnson(values, power)).state})

    def __call__(self, values: Array) -> Array:
        return Standard(self.state)(_yeo_johnson(values, self.state["power"]))


class BoxCox(Transform):
    """Box and Cox's power, chosen by maximum likelihood, then standardised: for positive values only."""

    name = "box_cox"

    @classmethod
    def fit(cls, values: Array) -> Self:
        if values.min() <= 0:
            raise ValueError(f"box_cox needs values above 0, the smallest is {values.min():g}; use yeo_johnson")
        power = 1.0 if np.ptp(values) == 0 else float(stats.boxcox_normmax(values, method="mle"))
        return cls({"power": power, **Standard.fit(_box_cox(values, power)).state})

    def __call__(self, values: Array) -> Array:
        if values.size and values.min() <= 0:
            raise ValueError(f"box_cox needs values above 0, found {values.min():g}")
        return Standard(self.state)(_box_cox(values, self.state["power"]))


TRANSFORMS: dict[str, type[Transform]] = {
    kind.name: kind for kind in (QuantileNormal, YeoJohnson, BoxCox, Standard, Unchanged)
}


def transform_named(name: str) -> type[Transform]:
    """The transform called `name`. Raises UnknownName with the nearest one."""
    if name not in TRANSFORMS:
        raise UnknownName(nearest(name, TRANSFORMS, what="transform of numbers"))
    return TRANSFORMS[name]


class NumberColumn:
    """One numeric column: its median for missing values, its transform."""

    def __init__(self, name: str, median: float, transform: Transform) -> None:
        self.name, self.median, self.transform = name, median, transform

    @classmethod
    def fit(cls, name: str, values: Array, transform: type[Transform]) -> Self:
        """Learn from `values` (n,), NaN where missing. Raises DataError naming the column."""
        known = values[~np.isnan(values)]
        if not len(known):
            raise DataError(f"the column {name!r} has no number in any of the {len(values)} rows; leave it out")
        median = float(np.median(known))
        try:
            # The released code fills before it fits, so that missing values count as medians.
            return cls(name, median, transform.fit(np.where(np.isnan(values), median, values)))
        except ValueError as error:
            raise DataError(f"the column {name!r}: {error}") from error

    def __call__(self, values: Array) -> Array:
        """(n,) with NaN -> (n,) finite. Raises DataError naming the column."""
        try:
            return self.transform(np.where(np.isnan(values), self.median, values))
        except ValueError as error:
            raise DataError(f"the column {self.name!r}: {error}") from error

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "median": self.median, "kind": self.transform.name, "state": self.transform.state}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        return cls(record["name"], float(record["median"]), transform_named(record["kind"])(record["state"]))


def _yeo_johnson(values: Array, power: float) -> Array:
    return np.asarray(stats.yeojohnson(values, lmbda=power), dtype=np.float64)


def _box_cox(values: Array, power: float) -> Array:
    return np.asarray(special.boxcox(values, power), dtype=np.float64)
