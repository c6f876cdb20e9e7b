"""Learning curves: how soon a run came close to its best validation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from chiasm.metrics.estimate import Estimate

WITHIN = 0.001  # of a share: "best minus 0.1" in per cent
EPOCHS_TO_BEST = "epochs to best minus 0.1"  # what tables call it


def epochs_to_best(log: Iterable[Mapping[str, Any]], measure: str, *, within: float = WITHIN) -> Estimate | None:
    """The first epoch whose validation of `measure` is no further than `within` below the best one.

    `log` are the lines of a run's log.jsonl. One run has no spread, so the interval is the epoch itself; `n` is the
    number of validations. None for a run without validations of `measure`.
    """
    curve = [
        (int(line["epoch"]), float(line["validation"][measure]))
        for line in log
        if not math.isnan(line.get("validation", {}).get(measure, math.nan))
    ]
    if not curve:
        return None
    best = max(value for _, value in curve)
    epoch = float(next(epoch for epoch, value in curve if value >= best - within - 1e-9))
    return Estimate(epoch, epoch, epoch, len(curve), share=False)
