"""The table shifts the text vector, gated by both (Rahman et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from chiasm.fusion.tabular import Combiner, Sizes
from chiasm.layers.recording import Tap

SMALLEST = 1e-12  # a length below which a vector counts as zero


class _Gated(nn.Module):
    """g * (W i),  g = ReLU(W_g [x || i] + b_g), dropout on g: one modality's part of the shift."""

    def __init__(self, size: int, sizes: Sizes, *, batch_norm: bool) -> None:
        super().__init__()
        self.narrow = sizes.mlp(size, sizes.text, batch_norm=batch_norm) if size > sizes.text else None
        size = min(size, sizes.text)
        self.gate = nn.Linear(sizes.text + size, sizes.text)
        self.value = nn.Linear(size, sizes.text, bias=False)
        self.dropout = nn.Dropout(sizes.dropout)
        self.opened = Tap()

    def forward(self, text: Tensor, modality: Tensor) -> Tensor:
        """(B, D), (B, C) -> (B, D)."""
        if self.narrow is not None:
            modality = self.narrow(modality)
        gate = self.dropout(torch.relu(self.gate(torch.cat([text, modality], 1))))
        gate = self.opened(gate[:, None, None])[:, 0, 0]  # recorded as (B, 1, 1, D)
        return gate * self.value(modality)


class Combine(Combiner):
    """m = x + alpha h;  h = g_c * (W_c c) + g_n * (W_n n) + b_h;  alpha = min(beta |x| / |h|, 1), per example.

    A modality wider than the text first passes a perceptron to the text's size.

    # Differs: in the paper's formula a bracket is missing and b is a scalar; here, as released, b_h is a vector and
    alpha is beta |x| / |h|, at most 1. The released code takes the hidden sizes of a wide category perceptron from the
    numbers' size by mistake; here they come from the categories'.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.output_size = sizes.text
        self.beta = sizes.beta
        self.parts = nn.ModuleDict()
        if sizes.categories:
            self.parts["categories"] = _Gated(sizes.categories, sizes, batch_norm=sizes.categories_batch_norm)
        if sizes.numbers:
            self.parts["numbers"] = _Gated(sizes.numbers, sizes, batch_norm=sizes.numbers_batch_norm)
        self.bias = nn.Parameter(torch.zeros(sizes.text))  # b_h
        self.alpha = Tap()

    def forward(self, text: Tensor, categories: Tensor, numbers: Tensor) -> Tensor:
        """(B, D), (B, C'), (B, C) -> (B, D)."""
        given = {"categories": categories, "numbers": numbers}
        shift = self.bias.expand_as(text)
        for name, part in self.parts.items():
            shift = shift + part(text, given[name])
        # Without the lower bound a shift of zero would give 0 / 0 where the text is zero too.
        longest = self.beta * text.norm(dim=1) / shift.norm(dim=1).clamp(min=SMALLEST)
        alpha = self.alpha(longest.clamp(max=1.0)[:, None, None, None])[:, 0, 0]  # recorded as (B, 1, 1, 1)
        return text + alpha * shift

    def gates(self) -> Mapping[str, str]:
        opened = {f"parts.{name}.opened": f"gate of the {name}" for name in self.parts}
        return {**opened, "alpha": "share of the table's shift that is kept"}
