"""States -> what stands at a place that was hidden: a word piece, or an object's class, attribute and features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chiasm.layers.linear import Linear
from chiasm.layers.transformer import LAYER_NORM_EPS


class WordHead(nn.Module):
    """E LN(gelu(W x + b)) + c: the score of each word piece (Devlin et al. 2019).

    E is the embedding table itself, passed in by the model that owns it, so that it is held and saved once.
    """

    def __init__(self, hidden_size: int, vocab_size: int) -> None:
        super().__init__()
        self.dense = Linear(hidden_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=LAYER_NORM_EPS)
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        """(..., D), (V, D) -> (..., V)."""
        return F.linear(self.norm(self.dense.gelu(x)), table, self.bias)


class ObjectHead(nn.Module):
    """What a region shows, from its state: LN(gelu(W x + b)), then a linear layer for each thing that is asked.

    `sizes` names the outputs: {"objects": 1600, "attributes": 400, "features": 2048} in LXMERT (sheet, section 4).
    """

    def __init__(self, hidden_size: int, sizes: dict[str, int]) -> None:
        super().__init__()
        self.dense = Linear(hidden_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=LAYER_NORM_EPS)
        self.outputs = nn.ModuleDict({name: Linear(hidden_size, size) for name, size in sizes.items()})

    def transform(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D): what all outputs read."""
        return self.norm(self.dense.gelu(x))

    def forward(self, x: Tensor, output: str) -> Tensor:
        """Transformed states (..., D) -> (..., size of the output)."""
        scores: Tensor = self.outputs[output](x)
        return scores
