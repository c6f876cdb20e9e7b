"""Scores become probabilities, probabilities become ranked answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from chiasm.batch import Output
from chiasm.data.example import DataError
from chiasm.tasks import Prediction


def scores_of(output: Output, head: str, ids: Sequence[str], size: int) -> Tensor:
    """Output -> (B, `size`) float32 scores of a head, on the CPU.

    Raises DataError naming the examples whose scores are NaN, ValueError when the head is of another size.
    """
    if head not in output.scores:
        raise ValueError(f"the model gives no head {head!r}; it gives {', '.join(output.scores)}")
    scores = output.scores[head].detach().float().cpu()
    scores = scores.reshape(scores.shape[0], -1)
    if scores.shape != (len(ids), size):
        raise ValueError(f"head {head!r} scored {tuple(scores.shape)} for {len(ids)} examples and {size} answers")
    bad = scores.isnan().any(1)
    if bad.any():
        names = [ids[i] for i in bad.nonzero().reshape(-1).tolist()]
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise DataError(f"the model's scores are NaN for {shown} ({len(names)} of {len(ids)} examples)")
    return scores


def two_answers(scores: Tensor) -> Tensor:
    """(B, 1) the score of "yes" against "no" -> (B, 2) scores of no and yes, whose softmax is its sigmoid."""
    return F.pad(scores, (1, 0))


def score_of_yes(scores: Tensor, answers: Sequence[int]) -> Tensor:
    """(B, 1) -> (B,) the one score for the answer yes (1), its opposite for no (0)."""
    return scores.reshape(-1) * (2 * scores.new_tensor(answers) - 1)


def ranked(probabilities: Tensor, labels: Sequence[Any], ids: Sequence[str], top_k: int) -> list[Prediction]:
    """(B, A) -> the most probable answer of each example, with the `top_k` best ones."""
    values, indices = torch.topk(probabilities, max(1, min(top_k, len(labels))), dim=1)
    predictions = []
    for name, row, chosen in zip(ids, values.tolist(), indices.tolist(), strict=True):
        best = tuple((labels[i], p) for i, p in zip(chosen, row, strict=True))
        predictions.append(Prediction(name, best[0][0], best[0][1], best))
    return predictions
