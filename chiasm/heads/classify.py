"""Fused states -> scores of answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from chiasm.layers.linear import Linear
from chiasm.layers.transformer import LAYER_NORM_EPS


class Pooler(nn.Module):
    """tanh(W x_0 + b), x_0 the state of [CLS]."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.dense = Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, D)."""
        return torch.tanh(self.dense(x[:, 0]))


class AnswerHead(nn.Module):
    """W_2 LN(gelu(W_1 x)): LXMERT's head over answers, no dropout (sheet, section 4)."""

    def __init__(self, input_size: int, hidden_size: int, num_labels: int) -> None:
        super().__init__()
        self.dense = Linear(input_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=LAYER_NORM_EPS)
        self.scores = Linear(hidden_size, num_labels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) -> (B, A)."""
        return self.scores(self.norm(self.dense.gelu(x)))


def relu_classifier(input_size: int, hidden: Sequence[int], num_labels: int) -> nn.Sequential:
    """n -> GELU, LN -> ReLU ... -> labels: (B, n) -> (B, A). Raises ValueError without a hidden layer."""
    if not hidden:
        raise ValueError("classifier_sizes is empty: at least one hidden layer is needed")
    first, *rest = hidden
    layers: list[nn.Module] = [Linear(input_size, first), nn.GELU(), nn.LayerNorm(first, eps=LAYER_NORM_EPS)]
    for before, after in pairwise([first, *rest]):
        layers += [Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, Linear(hidden[-1], num_labels))
