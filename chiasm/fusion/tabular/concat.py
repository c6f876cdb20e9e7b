"""m = x || c || n."""

from __future__ import annotations

import torch
from torch import Tensor

from chiasm.fusion.tabular import Combiner, Sizes


class Combine(Combiner):
    """m = x || c || n."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.output_size = sizes.text + sizes.categories + sizes.numbers

    def forward(self, text: Tensor, categories: Tensor, numbers: Tensor) -> Tensor:
        """(B, D), (B, C'), (B, C) -> (B, D + C' + C)."""
        return torch.cat([text, categories, numbers], 1)
