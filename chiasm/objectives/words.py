"""Losses of written words: one word at each place, or a distribution over several."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def next_word(logits: Tensor, words: Tensor) -> Tensor:
    """(M, V), (M,) int64 -> scalar: the mean of -log p(word) over places."""
    return F.cross_entropy(logits, words)


def spread_words(logits: Tensor, words: Tensor, weights: Tensor, even: Tensor | None = None) -> Tensor:
    """(M, V), (M, K) int64, (M, K), (M,) -> scalar: cross-entropy with a distribution at each place, mean over places.

    Word k of a place has the mass `weights`, and `even` is mass that all V words share alike (label smoothing). A word
    with weight 0 may have any number. The masses of a place need not sum to 1.
    """
    logs = logits.log_softmax(-1)
    named = (logs.gather(1, words.clamp(min=0)) * weights).sum(1)
    if even is not None:
        named = named + even * logs.mean(1)
    return -named.mean()
