"""The only attention of this library: every model's masks, evidence, precision and speed are solved here."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from chiasm.layers.dropout import Dropout
from chiasm.layers.linear import Linear
from chiasm.layers.recording import Tap, is_recording


class Attention(nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al. 2017, section 3.2.2).

        Att(x, c) = W_o concat_h softmax(Q_h K_h^T / sqrt(D/H)) V_h,    [Q; K; V] = W_qkv [x; c; c]

    Query, key and value projections are one matrix, so that self-attention is one product. `tap` records the
    probabilities (B, H, Q, K). A query whose keys are all masked attends to nothing: its context is zero.
    """

    def __init__(self, hidden_size: int, num_heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        if hidden_size % num_heads:
            raise ValueError(f"hidden_size {hidden_size} is not a multiple of num_attention_heads {num_heads}")
        self.hidden_size, self.num_heads = hidden_size, num_heads
        self.qkv = Linear(hidden_size, 3 * hidden_size)
        self.dropout = Dropout(dropout)
        self.tap = Tap()
        self.output = Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Tensor | None = None) -> Tensor:
        """(B, Q, D), keys' mask (B, K), context (B, K, D) or None for self-attention -> (B, Q, D)."""
        query, key, value = self.project(x) if context is None else self.project_to(x, context)
        return self.output(self.attend(query, key, value, mask))

    def first(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, D), (B, T) -> (B, 1, D): self-attention of position 0 only, at a share of the cost."""
        query, key, value = self.project_to(x[:, :1], x)
        return self.output(self.attend(query, key, value, mask))

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, D) -> query, key, value, each (B, H, T, D/H), in one product."""
        parts = self.qkv(self.qkv.rounded(x)).unflatten(-1, (3, self.num_heads, -1))  # (B, T, 3, H, D/H)
        query, key, value = parts.unbind(2)  # their gradients are put together in the layout of the product
        return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)

    def project_to(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, Q, D), (B, K, D) -> query (B, H, Q, D/H) of x; key and value (B, H, K, D/H) of the context."""
        size, heads = self.hidden_size, self.num_heads
        x, context = self.qkv.rounded(x), self.qkv.rounded(context)
        query = self.qkv.part(x, 0, size).unflatten(-1, (heads, -1))  # (B, Q, H, D/H)
        both = self.qkv.part(context, size, 3 * size).unflatten(-1, (2, heads, -1))  # (B, K, 2, H, D/H)
        key, value = both.unbind(2)
        return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, tap: Tap | None = None) -> Tensor:
        """(B, H, Q, D/H), (B, H, K, D/H) twice, (B, K) -> contexts (B, Q, D), before the output projection.

        `tap` records in place of this module's own, for a caller that attends twice with the same weights. A training
        step that neither drops nor records probabilities never makes them: the same numbers but for roundings, in
        fewer operations.
        """
        if self._fuses(tap or self.tap):
            return self._fused(query, key, value, mask)
        scores = (query * (1 / math.sqrt(query.shape[-1]))) @ key.transpose(-1, -2)  # (B, H, Q, K)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], torch.finfo(scores.dtype).min)
        probabilities = (tap or self.tap)(scores.softmax(-1))
        context = self.dropout(probabilities) @ value  # (B, H, Q, D/H)
        if mask is not None:
            context = context * mask.any(-1)[:, None, None, None]
        return context.transpose(1, 2).flatten(2)  # (B, Q, D)

    def _fuses(self, tap: Tap) -> bool:
        """Whether the probabilities are of no use to anybody: not recorded, not dropped, and in training, since an
        answer must not depend, not even by a rounding, on its being explained."""
        return self.training and torch.is_grad_enabled() and not self.dropout.p and not is_recording(tap)

    @staticmethod
    def _fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """As `attend`, by torch's fused kernel: (B, Q, D)."""
        attention = nn.functional.scaled_dot_product_attention
        if mask is None:
            return attention(query, key, value).transpose(1, 2).flatten(2)
        alive = mask.any(-1, keepdim=True)  # (B, 1)
        if mask.device.type == "cpu" and bool(alive.all()):
            return attention(query, key, value, attn_mask=mask[:, None, None, :]).transpose(1, 2).flatten(2)
        context = attention(query, key, value, attn_mask=(mask | ~alive)[:, None, None, :])
        return (context * alive[:, :, None, None]).transpose(1, 2).flatten(2)
