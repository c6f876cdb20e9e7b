"""The transformer layer as BERT has it: sub-layer, dropout, residual, layer normalisation afterwards."""

from __future__ import annotations

from torch import Tensor, nn

from chiasm.layers.attention import Attention
from chiasm.layers.dropout import Dropout
from chiasm.layers.linear import Linear
from chiasm.layers.recording import is_recording, keeps_grad, paused

LAYER_NORM_EPS = 1e-12  # BERT's


class AddNorm(nn.Module):
    """LN(x + Dropout(y)): what follows each sub-layer."""

    def __init__(self, hidden_size: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(hidden_size, eps=LAYER_NORM_EPS)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(..., D), (..., D) -> (..., D)."""
        return self.norm(x + self.dropout(y))


class FeedForward(nn.Module):
    """W_2 gelu(W_1 x), gelu in its exact form, then add and normalise."""

    def __init__(self, hidden_size: int, intermediate_size: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.up = Linear(hidden_size, intermediate_size)
        self.down = Linear(intermediate_size, hidden_size)
        self.add_norm = AddNorm(hidden_size, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        return self.add_norm(x, self.down(self.up.gelu(self.up.rounded(x))))


class SelfAttention(nn.Module):
    """Attention of a sequence to itself, then add and normalise."""

    def __init__(
        self, hidden_size: int, num_heads: int, *, dropout: float = 0.0, attention_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.attention = Attention(hidden_size, num_heads, dropout=attention_dropout)
        self.add_norm = AddNorm(hidden_size, dropout=dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, D), (B, T) -> (B, T, D)."""
        return self.add_norm(x, self.attention(x, mask))

    def first(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, D), (B, T) -> (B, 1, D): what `forward` gives at position 0."""
        return self.add_norm(x[:, :1], self.attention.first(x, mask))


class TransformerLayer(nn.Module):
    """Self-attention and feed-forward network (Devlin et al. 2019)."""

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        intermediate_size: int,
        *,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.self_attention = SelfAttention(
            hidden_size, num_heads, dropout=dropout, attention_dropout=attention_dropout
        )
        self.feed_forward = FeedForward(hidden_size, intermediate_size, dropout=dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, D), (B, T) -> (B, T, D)."""
        return self.feed_forward(self.self_attention(x, mask))

    def first(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, D), (B, T) -> (B, 1, D): what `forward` gives at position 0, without the other rows.

        While evidence is recorded the whole layer also runs for its taps, and the answer still takes this path, so
        that recording does not change it by a rounding; when the evidence needs gradients the whole layer is used.
        """
        if keeps_grad(self):
            return self(x, mask)[:, :1]
        if is_recording(self):
            self(x, mask)
            with paused(self):
                return self.feed_forward(self.self_attention.first(x, mask))
        return self.feed_forward(self.self_attention.first(x, mask))
