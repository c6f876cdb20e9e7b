"""m = x || MLP(c) || n: in the released code ("mlp_on_categorical_then_concat"), not in the paper's table."""

from __future__ import annotations

import torch
from torch import Tensor

from chiasm.fusion.tabular import Combiner, Sizes


class Combine(Combiner):
    """m = x || MLP(c) || n, MLP(c) of min(D, max(C, C' / 2)) features, at least one."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        size = min(sizes.text, max(sizes.numbers, int(sizes.categories / (sizes.division / 2)), 1))
        self.categories = None
        if sizes.categories:
            self.categories = sizes.mlp(sizes.categories, size, batch_norm=sizes.categories_batch_norm)
        self.output_size = sizes.text + (size if sizes.categories else 0) + sizes.numbers

    def forward(self, text: Tensor, categories: Tensor, numbers: Tensor) -> Tensor:
        """(B, D), (B, C'), (B, C) -> (B, `output_size`)."""
        parts = [text] if self.categories is None else [text, self.categories(categories)]
        return torch.cat([*parts, numbers], 1)
