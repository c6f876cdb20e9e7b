"""Losses of answers: classification with hard, soft, several or real-valued targets."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE = -1  # the target of an example that has no label


def soft_answers(scores: Tensor, targets: Tensor) -> Tensor:
    """(B, A), (B, A) in [0, 1] -> (): binary cross-entropy of each answer, summed over answers, mean over examples.

    LXMERT multiplies the mean over all entries by the number of answers, which is this (sheet section 6). A row of
    `IGNORE` has no label and is left out of the mean.
    """
    labelled = targets[:, :1] != IGNORE
    entries = F.binary_cross_entropy_with_logits(scores, targets, reduction="none")
    return (entries * labelled).sum() / labelled.sum().clamp(min=1)


def yes_or_no(scores: Tensor, targets: Tensor) -> Tensor:
    """(B, 1), (B,) int64 in {0, 1} -> (): binary cross-entropy of one score, mean over the labelled examples."""
    labelled = targets != IGNORE
    entries = F.binary_cross_entropy_with_logits(scores.reshape(-1), targets.to(scores.dtype), reduction="none")
    return (entries * labelled).sum() / labelled.sum().clamp(min=1)


def one_answer(scores: Tensor, targets: Tensor) -> Tensor:
    """(B, A), (B,) int64 -> (): cross-entropy, mean over the labelled examples; 0 when none is labelled."""
    labelled = targets != IGNORE
    total = F.cross_entropy(scores, targets, ignore_index=IGNORE, reduction="sum")
    return total / labelled.sum().clamp(min=1)


def answer_shares(scores: Tensor, targets: Tensor) -> Tensor:
    """(B, A), (B, A) scores of answers -> (): cross-entropy towards each answer's share of the example's scores.

    An example without a label (a row of `IGNORE`) or whose answers are all unknown (zeros) is left out of the mean.
    """
    wanted = targets.clamp(min=0)
    total = wanted.sum(1, keepdim=True)
    known = total[:, 0] > 0
    entries = F.cross_entropy(scores, wanted / total.clamp(min=1e-12), reduction="none")
    return (entries * known).sum() / known.sum().clamp(min=1)


def several_labels(scores: Tensor, targets: Tensor) -> Tensor:
    """(B, A), (B, A) in {0, 1} -> (): binary cross-entropy, mean over the entries of labelled examples.

    A row of `IGNORE` has no labels.
    """
    return soft_answers(scores, targets) / scores.shape[1]


def number(scores: Tensor, targets: Tensor) -> Tensor:
    """(B, 1) or (B,), (B,) -> (): squared error, mean over the examples whose target is not NaN."""
    values = scores.reshape(targets.shape)
    known = ~torch.isnan(targets)
    error = torch.where(known, values - torch.nan_to_num(targets), torch.zeros_like(values))
    return error.square().sum() / known.sum().clamp(min=1)
