"""Additive attention (Bahdanau, Cho and Bengio 2015): a small network compares each query with each key."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from chiasm.layers.linear import Linear
from chiasm.layers.masking import masked_softmax


class AdditiveAttention(nn.Module):
    """a = softmax_r(v . f(W_k k_r + b_k + W_q q)), context = sum_r a_r k_r.

    A decoder looks at the same keys at every word, so `prepare` multiplies them once. `activation` is f.
    """

    def __init__(
        self,
        key_size: int,
        query_size: int,
        hidden_size: int,
        *,
        activation: Callable[[Tensor], Tensor] = torch.tanh,
        query_bias: bool = False,
    ) -> None:
        super().__init__()
        self.keys = Linear(key_size, hidden_size)
        self.query = nn.Linear(query_size, hidden_size, bias=query_bias)
        self.score = nn.Linear(hidden_size, 1, bias=False)
        self._activation = activation

    def prepare(self, keys: Tensor) -> Tensor:
        """(B, R, F) -> (B, R, D)."""
        return self.keys(keys)

    def forward(self, query: Tensor, prepared: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, D'), (B, R, D), (B, R, F), (B, R) -> weights (B, K, R), context (B, K, F)."""
        compared = self._activation(prepared[:, None] + self.query(query)[:, :, None])  # (B, K, R, D)
        weights = masked_softmax(self.score(compared).squeeze(-1), mask[:, None])
        return weights, weights @ values
