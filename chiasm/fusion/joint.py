"""Two streams as one sequence: a transformer layer in which words and regions attend to all of both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.layers.transformer import TransformerLayer


class JointLayer(nn.Module):
    """Self-attention over [words; regions], add and norm, feed-forward, add and norm (CMR, section 3.2).

    # Differs: the paper's formula has one head, keys and values that are the entities themselves, and divides by
    sqrt(D); `layer` is BERT's, with projections and heads.
    """

    def __init__(self, layer: TransformerLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self, text: Tensor, regions: Tensor, text_mask: Tensor | None, regions_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, D), (B, R, D), (B, T), (B, R) -> (B, T, D), (B, R, D); a mask of None: all are real."""
        masks = [_whole(text, text_mask), _whole(regions, regions_mask)]
        both = self.layer(torch.cat([text, regions], 1), torch.cat(masks, 1))
        return both[:, : text.shape[1]], both[:, text.shape[1] :]


def _whole(states: Tensor, mask: Tensor | None) -> Tensor:
    """(B, N, D) -> (B, N) bool."""
    return torch.ones(states.shape[:2], dtype=torch.bool, device=states.device) if mask is None else mask
