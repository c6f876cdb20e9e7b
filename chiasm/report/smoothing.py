"""How much target mass to smooth away: the curves of a table that was run (caption sampling, figure 2)."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from chiasm.data.example import DataError
from chiasm.metrics.estimate import Estimate


@dataclass(frozen=True)
class Curves:
    """A metric by alpha for each method, and the metric without smoothing, where the table has such a row."""

    metric: str
    methods: Mapping[str, Mapping[float, Estimate]]
    baseline: Estimate | None


def read_curves(file: Path, metric: str) -> Curves:
    """The curves in a `table.json` of `chiasm table`.

    A row's alpha is what it sets `task.alpha` to, and its method is its name without that number. Without smoothing a
    method is at alpha 0 of its own curve: methods may differ there in what else they set. A row that sets
    `task.smoothing` to "none" instead is one baseline for all. Rows that were not run are left out. Several seeds are
    averaged, and so are the ends of their intervals. Raises `DataError` for a file of another kind and when no row has
    the metric.
    """
    try:
        rows = [_Row.of(row) for row in json.loads(file.read_text(encoding="utf-8"))["rows"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{file} is no table.json of `chiasm table`: {type(error).__name__} {error}") from error
    methods: dict[str, dict[float, Estimate]] = defaultdict(dict)
    baseline = None
    for row in rows:
        found = row.mean(metric)
        if found is None:
            continue
        if row.settings.get("task.smoothing") == "none":
            baseline = found
        elif "task.alpha" in row.settings:
            methods[row.method][float(row.settings["task.alpha"])] = found
    if not methods:
        measured = sorted({name for row in rows for seed in row.seeds for name in seed})
        raise DataError(
            f"{file}: no row that sets task.alpha has {metric!r}; measured is {', '.join(measured) or 'nothing'}"
        )
    return Curves(metric, methods, baseline)


@dataclass(frozen=True)
class _Row:
    """A row of a table's record."""

    name: str
    settings: Mapping[str, str]
    seeds: tuple[Mapping[str, Estimate], ...]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> _Row:
        pairs = [setting.partition("=") for setting in row["settings"]]
        settings = {key: value.strip("\"'") for key, _, value in pairs}
        seeds = tuple({name: Estimate.from_json(found) for name, found in seed.items()} for seed in row["seeds"])
        return cls(row["name"], settings, seeds)

    @property
    def method(self) -> str:
        return re.sub(r"\s*[\d.]+$", "", self.name)

    def mean(self, metric: str) -> Estimate | None:
        found = [seed[metric] for seed in self.seeds if metric in seed]
        if not found:
            return None
        value, low, high = (fmean(getattr(one, name) for one in found) for name in ("value", "low", "high"))
        return Estimate(value, low, high, found[0].n, found[0].share)
