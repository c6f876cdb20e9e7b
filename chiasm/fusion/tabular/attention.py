"""Attention from the text over itself, the categories and the numbers (Velickovic et al. 2018, one head)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chiasm.fusion.tabular import Combiner, Sizes
from chiasm.layers.recording import Tap


class Combine(Combiner):
    """m = sum over i in {x, c, n} of alpha_i W_i i;  alpha = softmax_i(LeakyReLU(a . [W_x x || W_i i])).

    A modality wider than the text first passes a perceptron to the text's size. Only the text asks.

    # Differs: the paper gives no slope of the LeakyReLU; the released code uses 0.02 (its field 0.2 is never read).
    """

    SLOPE = 0.02

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.output_size = size = sizes.text
        wide = {"categories": sizes.categories, "numbers": sizes.numbers}
        norms = {"categories": sizes.categories_batch_norm, "numbers": sizes.numbers_batch_norm}
        self.narrow = nn.ModuleDict(
            {name: sizes.mlp(width, size, batch_norm=norms[name]) for name, width in wide.items() if width > size}
        )
        self.values = nn.ModuleDict({"text": _map(size, size)})
        for name, width in wide.items():
            if width:
                self.values[name] = _map(min(width, size), size)
        self.attention = nn.Parameter(torch.empty(2 * size, 1))  # a
        self.weights = Tap()
        nn.init.xavier_uniform_(self.attention)

    def forward(self, text: Tensor, categories: Tensor, numbers: Tensor) -> Tensor:
        """(B, D), (B, C'), (B, C) -> (B, D)."""
        given = {"text": text, "categories": categories, "numbers": numbers}
        narrowed = {name: self.narrow[name](given[name]) if name in self.narrow else given[name] for name in given}
        values = torch.stack([layer(narrowed[name]) for name, layer in self.values.items()], 1)  # (B, M, D)
        pairs = torch.cat([values[:, :1].expand_as(values), values], 2)  # (B, M, 2D)
        alpha = F.leaky_relu(pairs @ self.attention, self.SLOPE).softmax(1)  # (B, M, 1)
        alpha = self.weights(alpha.transpose(1, 2).unsqueeze(1))[:, 0]  # recorded as (B, 1, 1, M)
        return (alpha @ values).squeeze(1)

    def gates(self) -> Mapping[str, str]:
        return {"weights": f"weight of {', '.join(self.values)}"}


def _map(input_size: int, output_size: int) -> nn.Linear:
    """W_i: no bias, Glorot's initial weights."""
    layer = nn.Linear(input_size, output_size, bias=False)
    nn.init.xavier_uniform_(layer.weight)
    return layer
