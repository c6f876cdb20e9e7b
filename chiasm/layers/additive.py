"""Additive attention (Bahdanau, Cho and Bengio 2015): a small network compares each query with each key."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from chiasm.layers.linear import Linear
from chiasm.layers.masking import masked_softmax

BLOCK = 1 << 18  # numbers compared at once where nothing is learnt: 1 MB, which stays in a core's cache


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
        asked = self.query(query)
        if torch.is_grad_enabled() or query.device.type != "cpu":
            scores = self._compare(asked, prepared)
        else:
            # Whole, they are tens of megabytes that are fetched from the system again at every word.
            size = max(1, BLOCK // (max(1, asked.shape[1] * prepared[0].numel())))
            blocks = zip(asked.split(size), prepared.split(size), strict=True)
            scores = torch.cat([self._compare(some, keys) for some, keys in blocks])
        weights = masked_softmax(scores, mask[:, None])
        return weights, weights @ values

    def _compare(self, asked: Tensor, prepared: Tensor) -> Tensor:
        """(B, K, D), (B, R, D) -> (B, K, R)."""
        compared: Tensor = self.score(self._activation(prepared[:, None] + asked[:, :, None]))  # (B, K, R, 1)
        return compared.squeeze(-1)
