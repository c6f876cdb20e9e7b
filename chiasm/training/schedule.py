"""The learning rate over a run, and the budget of seconds that may shorten the run."""

from __future__ import annotations

import math
from dataclasses import dataclass

_FALL = 0.3  # the share of the run in which "hold" falls
_FIRST, _NEXT = 0.05, 0.02  # a budget is reviewed after these shares of it: late enough for a steady rate


def factor(schedule: str, warmup: float, share: float) -> float:
    """What the peak rate is multiplied with after `share` of the run (0 at the start, 1 at the end).

    It rises linearly from 0 to 1 in the first `warmup`. Then it falls linearly or along a cosine to 0; or holds, and
    falls linearly in the last 30 % of the rest; or is halved after 60 % of it, or a tenth after 90 %; or stays. The
    linear one is BertAdam's `warmup_linear`: x / w, then (x - 1) / (w - 1). Halving is ICON's and COIN's annealing to
    base 2, every 60 of at most 100 epochs; a tenth is GraphVQA's drop every 90 of 100.
    """
    if share < warmup:
        return share / warmup
    rest = (share - warmup) / (1 - warmup)
    if schedule == "linear":
        return max(0.0, 1 - rest)
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * min(rest, 1.0)))
    if schedule == "halving":
        return 0.5 if rest >= 0.6 else 1.0
    if schedule == "tenth":
        return 0.1 if rest >= 0.9 else 1.0
    if schedule == "hold":
        return min(1.0, max(0.0, 1 - rest) / _FALL)
    return 1.0


@dataclass
class Plan:
    """How many steps a run takes, and how far it is.

    Without a budget, and with one that suffices, it is `total` and nothing depends on the clock. When the measured
    rate says that the budget will not suffice, the end moves nearer and the schedule hurries on from where it is.
    """

    total: int  # steps the recipe asks for
    end: int  # steps that will be taken
    anchor_step: int = 0  # where the end was moved last, ...
    anchor_share: float = 0.0  # ... and the share of the run that was over there
    reviewed: float = 0.0  # seconds at the last review

    def share(self, step: int) -> float:
        """The share of the run that is over after `step` steps."""
        if step >= self.end:
            return 1.0
        left = (step - self.anchor_step) / (self.end - self.anchor_step)
        return self.anchor_share + (1 - self.anchor_share) * left

    def review(self, step: int, seconds: float, budget: float, reserve: float) -> int:
        """The step at which the budget ends; `reserve` seconds are kept for what follows the last step."""
        due = _FIRST * budget if self.reviewed == 0 else self.reviewed + _NEXT * budget
        if seconds < due or step == 0:
            return self.end
        self.reviewed = seconds
        left = max(0.0, budget - reserve - seconds)
        return min(self.total, step + int(left * step / seconds))

    def move(self, step: int, end: int) -> None:
        """From `step` on, go evenly to the new end."""
        if end != self.end:
            self.anchor_share, self.anchor_step, self.end = self.share(step), step, end
