"""m = x || MLP(c) || MLP(n): the released "individual_mlps_on_cat_and_numerical_feats_then_concat"."""

from __future__ import annotations

import torch
from torch import Tensor

from chiasm.fusion.tabular import Combiner, Sizes
from chiasm.layers.mlp import Mlp


class Combine(Combiner):
    """m = x || MLP(c) || MLP(n).

    MLP(c) gives max(C' / 2, C) features through the shrinking rule, MLP(n) gives C / 2 through one hidden layer of C.

    # Differs: the released code halves a single number to zero features, so that the number is lost; here every
    modality that is there gives at least one. No published table has a single number.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        half = sizes.division / 2
        categories = max(int(sizes.categories / half), sizes.numbers, 1) if sizes.categories else 0
        numbers = max(int(sizes.numbers / half), 1) if sizes.numbers else 0
        self.categories = self.numbers = None
        if categories:
            self.categories = sizes.mlp(sizes.categories, categories, batch_norm=sizes.categories_batch_norm)
        if numbers:
            self.numbers = Mlp(
                sizes.numbers,
                [sizes.numbers],
                numbers,
                batch_norm=sizes.numbers_batch_norm,
                dropout=sizes.dropout,
            )
        self.output_size = sizes.text + categories + numbers

    def forward(self, text: Tensor, categories: Tensor, numbers: Tensor) -> Tensor:
        """(B, D), (B, C'), (B, C) -> (B, `output_size`)."""
        parts = [text]
        if self.categories is not None:
            parts.append(self.categories(categories))
        if self.numbers is not None:
            parts.append(self.numbers(numbers))
        return torch.cat(parts, 1)
