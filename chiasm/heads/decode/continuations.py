"""Which words go on best, of very many, without sorting them."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 128  # words of which first only the best is looked at
BLOCK = 1 << 18  # scores normalised at once on a CPU: 1 MB, which stays in a core's cache


def normalisers(scores: Tensor) -> Tensor:
    """(B, K, V) -> (B, K): log sum exp."""
    if scores.device.type != "cpu":
        return scores.logsumexp(-1)
    size = max(1, BLOCK // max(1, scores.shape[1] * scores.shape[2]))
    return torch.cat([block.logsumexp(-1) for block in scores.split(size)])


def best(scores: Tensor, before: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The `size` best continuations of an image's k beams, best first.

    (B, k, V), (B, k) -> values `scores + before`, beams, words (B, size). `size` is at most k, so that there are
    enough of them whatever V is. A word among the best is in a chunk whose best word is among the best chunks'.
    """
    count, num_words = scores.shape[0], scores.shape[2]
    chunks = num_words // CHUNK
    highest = scores[..., : chunks * CHUNK].unflatten(-1, (chunks, CHUNK)).amax(-1)
    if chunks * CHUNK < num_words:
        highest = torch.cat([highest, scores[..., chunks * CHUNK :].amax(-1, keepdim=True)], -1)
    found = (highest + before[..., None]).flatten(1).topk(size, dim=1).indices  # (B, size) chunks, of all beams
    beams = found // highest.shape[-1]
    words = found[..., None] % highest.shape[-1] * CHUNK + torch.arange(CHUNK, device=scores.device)  # (B, size, C)
    rows = torch.arange(count, device=scores.device)[:, None]
    values = scores[rows[..., None], beams[..., None], words.clamp(max=num_words - 1)] + before[rows, beams][..., None]
    values = values.masked_fill(words >= num_words, float("-inf"))
    chosen, places = values.flatten(1).topk(size, dim=1)
    words = words.flatten(1).gather(1, places).clamp(max=num_words - 1)  # where there are too few: never said
    return chosen, beams.gather(1, places // CHUNK), words
