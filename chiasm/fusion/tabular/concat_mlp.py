"""m = x || MLP(c || n): the released "mlp_on_concatenated_cat_and_numerical_feats_then_concat"."""

from __future__ import annotations

import torch
from torch import Tensor

from chiasm.fusion.tabular import Combiner, Sizes


class Combine(Combiner):
    """m = x || MLP(c || n), of as many features as the smallest of x, c and n that are there.

    Its perceptron is batch-normalised only when both modalities' are, as released.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        there = [size for size in (sizes.categories, sizes.numbers) if size]
        self.table = None
        self.output_size = sizes.text
        if there:
            size = min(sizes.text, *there)
            batch_norm = sizes.categories_batch_norm and sizes.numbers_batch_norm
            self.table = sizes.mlp(sum(there), size, batch_norm=batch_norm)
            self.output_size += size

    def forward(self, text: Tensor, categories: Tensor, numbers: Tensor) -> Tensor:
        """(B, D), (B, C'), (B, C) -> (B, `output_size`)."""
        if self.table is None:
            return text
        return torch.cat([text, self.table(torch.cat([categories, numbers], 1))], 1)
