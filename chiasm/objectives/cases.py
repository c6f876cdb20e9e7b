"""Losses of single cases, (scores, targets) -> one loss for each: for models that weigh cases before they average."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def class_of_case(scores: Tensor, targets: Tensor) -> Tensor:
    """(N, C), (N,) int64 -> (N,): cross-entropy of each case."""
    return F.cross_entropy(scores, targets, reduction="none")


def smooth_difference(scores: Tensor, targets: Tensor) -> Tensor:
    """(N, F), (N, F) -> (N,): |d| - 1/2, or d^2 / 2 where |d| < 1 (smooth L1), mean over the F numbers of each case."""
    return F.smooth_l1_loss(scores, targets, reduction="none").mean(1)


def squared_difference(scores: Tensor, targets: Tensor) -> Tensor:
    """(N, F), (N, F) -> (N,): d^2, mean over the F numbers of each case."""
    return F.mse_loss(scores, targets, reduction="none").mean(1)
