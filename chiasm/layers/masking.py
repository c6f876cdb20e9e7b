"""Softmax over what is really there."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """(..., K), (..., K) bool broadcastable -> (..., K): weights that are 0 where the mask is False.

    They sum to 1, or to 0 where nothing is real, so that an empty memory is read as the zero vector.
    """
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~mask, lowest).softmax(-1) * mask
