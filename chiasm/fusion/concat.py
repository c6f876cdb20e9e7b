"""Images and texts that meet by standing side by side: the most elementary common embedding.

Nothing attends across; whether image and text interact at all is up to what reads the result.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Pairs(nn.Module):
    """Each image beside the text, one pair after the other: [y_1; t; y_2; t; ...] (UNITER's pair way)."""

    def output_size(self, image_size: int, text_size: int, num_images: int) -> int:
        """Of the joined vector."""
        return num_images * (image_size + text_size)

    def forward(self, images: Tensor, texts: Tensor) -> Tensor:
        """(B, S, D), (B, K, S, D') -> (B, K, S * (D + D')): text k, as read beside image s, after image s."""
        each = images[:, None].expand(-1, texts.shape[1], -1, -1)
        return torch.cat([each, texts], -1).flatten(2)


class Triplet(nn.Module):
    """All images, then the text once: [y_1; y_2; t] (UNITER's triplet way)."""

    def output_size(self, image_size: int, text_size: int, num_images: int) -> int:
        """Of the joined vector."""
        return num_images * image_size + text_size

    def forward(self, images: Tensor, texts: Tensor) -> Tensor:
        """(B, S, D), (B, K, S, D') -> (B, K, S * D + D'): the mean of a text's readings beside the images."""
        each = images[:, None].expand(-1, texts.shape[1], -1, -1).flatten(2)
        return torch.cat([each, texts.mean(2)], -1)
