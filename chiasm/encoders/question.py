"""A question -> a summary and M instruction vectors, by a sequence-to-sequence transformer (GraphVQA, section 3.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from chiasm.batch import Text
from chiasm.layers.attention import Attention
from chiasm.layers.dropout import Dropout
from chiasm.layers.linear import Linear
from chiasm.layers.stack import Stack


@dataclass(frozen=True)
class ParserSizes:
    """What both transformers are built from."""

    hidden_size: int = 512
    num_attention_heads: int = 8
    intermediate_size: int = 2048  # inner size of the feed-forward networks
    num_layers: int = 3  # of each of the two
    dropout: float = 0.1


class Residual(nn.Module):
    """LN(x + Dropout(y)) (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(..., D), (..., D) -> (..., D)."""
        return self.norm(x + self.dropout(y))


class ParserLayer(nn.Module):
    """Self-attention, attention to a memory when there is one, feed-forward network with ReLU; norms come after."""

    def __init__(self, sizes: ParserSizes, *, reads: bool) -> None:
        super().__init__()
        size, dropout = sizes.hidden_size, sizes.dropout
        self.self_attention = Attention(size, sizes.num_attention_heads, dropout=dropout)
        self.self_residual = Residual(size, dropout)
        if reads:
            self.cross_attention = Attention(size, sizes.num_attention_heads, dropout=dropout)
            self.cross_residual = Residual(size, dropout)
        self.up, self.down = Linear(size, sizes.intermediate_size), Linear(sizes.intermediate_size, size)
        self.inner_dropout = Dropout(dropout)
        self.residual = Residual(size, dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        """(B, T, D), the mask of what is attended to, (B, T', D) or None -> (B, T, D).

        With a memory the mask is the memory's, and `x` has no padding.
        """
        x = self.self_residual(x, self.self_attention(x, mask if memory is None else None))
        if memory is not None:
            x = self.cross_residual(x, self.cross_attention(x, mask, memory))
        return self.residual(x, self.down(self.inner_dropout(torch.relu(self.up(x)))))


class QuestionEncoder(nn.Module):
    """Word vectors -> linear, times sqrt(D), sinusoidal positions -> transformer -> layer norm.

    # Differs: the released code masks no padding, so that an answer depends on the other questions of its batch; here
    it is masked, and `mask_padding = False` gives theirs.
    """

    def __init__(self, vocab_size: int, word_size: int, sizes: ParserSizes, *, mask_padding: bool = True) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, word_size)
        # As large as positions are after the factor sqrt(D), so that the order of words is not drowned at first.
        nn.init.normal_(self.words.weight, std=sizes.hidden_size**-0.5)
        self.linear = Linear(word_size, sizes.hidden_size)
        self.dropout = Dropout(sizes.dropout)
        self.layers: Stack[ParserLayer] = Stack(ParserLayer(sizes, reads=False) for _ in range(sizes.num_layers))
        self.norm = nn.LayerNorm(sizes.hidden_size)
        self.mask_padding = mask_padding

    def forward(self, text: Text) -> tuple[Tensor, Tensor | None]:
        """Text (I, T) -> states (I, T, D), one row for each distinct question; and the mask of their padding."""
        x = self.linear(self.words(text.input_ids))
        size = x.shape[-1]
        x = self.dropout(x * math.sqrt(size) + sinusoids(x.shape[1], size, x.device).to(x.dtype))
        mask = text.attention_mask if self.mask_padding else None
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x), mask


class InstructionDecoder(nn.Module):
    """M learned queries -> M instructions: a transformer decoder that sees the whole question, and all M at once."""

    def __init__(self, num_instructions: int, sizes: ParserSizes) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(num_instructions, sizes.hidden_size))
        self.layers: Stack[ParserLayer] = Stack(ParserLayer(sizes, reads=True) for _ in range(sizes.num_layers))
        self.norm = nn.LayerNorm(sizes.hidden_size)

    def forward(self, memory: Tensor, mask: Tensor | None) -> Tensor:
        """(I, T, D), (I, T) -> (I, M, D)."""
        x = self.queries.expand(len(memory), -1, -1)
        for layer in self.layers:
            x = layer(x, mask, memory)
        return self.norm(x)


def sinusoids(length: int, size: int, device: torch.device | None = None) -> Tensor:
    """(T, D): sines in even columns, cosines in odd ones, of wavelengths from 2 pi to 10000 * 2 pi."""
    steps = torch.arange(length, device=device)[:, None]
    rates = torch.exp(torch.arange(0, size, 2, device=device) * (-math.log(10000.0) / size))
    angles = steps * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :size]
