"""m = x + w_c * (W_c c) + w_n * (W_n n): a learnt weight for each dimension of each modality."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.fusion.tabular import Combiner, Sizes


class _Weighted(nn.Module):
    """w * Dropout(W i + b), w from U(0, 1) at the start."""

    def __init__(self, size: int, sizes: Sizes) -> None:
        super().__init__()
        self.value = nn.Linear(size, sizes.text)
        self.dropout = nn.Dropout(sizes.dropout)
        self.weight = nn.Parameter(torch.rand(sizes.text))

    def forward(self, modality: Tensor) -> Tensor:
        """(B, C) -> (B, D)."""
        return self.weight * self.dropout(self.value(modality))


class Combine(Combiner):
    """m = x + w_c * (W_c c + b_c) + w_n * (W_n n + b_n).

    # Differs: the paper's formula has no biases, the released code has them.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.output_size = sizes.text
        self.parts = nn.ModuleDict()
        if sizes.categories:
            self.parts["categories"] = _Weighted(sizes.categories, sizes)
        if sizes.numbers:
            self.parts["numbers"] = _Weighted(sizes.numbers, sizes)

    def forward(self, text: Tensor, categories: Tensor, numbers: Tensor) -> Tensor:
        """(B, D), (B, C'), (B, C) -> (B, D)."""
        given = {"categories": categories, "numbers": numbers}
        for name, part in self.parts.items():
            text = text + part(given[name])
        return text
