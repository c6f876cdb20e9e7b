"""Utterance -> vector by convolutions over its words (Kim 2014), the text features of COIN and its baselines."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.batch import Text
from chiasm.layers.dropout import Dropout


class TextCnn(nn.Module):
    """Filters over 3, 4 and 5 neighbouring words, the largest answer of each filter, a linear projection.

    The filters see padding as zero vectors, and nothing that begins after the last word.
    """

    def __init__(
        self,
        vocab_size: int,
        output_size: int,
        *,
        word_size: int = 300,
        filters: int = 50,  # of each width
        widths: tuple[int, ...] = (3, 4, 5),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, word_size)
        self.convolutions = nn.ModuleList(nn.Conv1d(word_size, filters, width) for width in widths)
        self.widths = widths
        self.dropout = Dropout(dropout)
        self.projection = nn.Linear(filters * len(widths), output_size)

    def forward(self, text: Text) -> Tensor:
        """Text (I, T) -> (I, D), one row for each distinct text."""
        mask = text.attention_mask
        x = (self.words(text.input_ids) * mask[..., None]).transpose(1, 2)  # (I, W, T)
        x = nn.functional.pad(x, (0, max(self.widths) - 1))
        found = [self._largest(c(x), mask) for c in self.convolutions]
        return self.projection(self.dropout(torch.cat(found, -1)))

    @staticmethod
    def _largest(answers: Tensor, mask: Tensor) -> Tensor:
        """(I, C, T'), (I, T) -> (I, C): relu, then the maximum over the positions that begin at a real word."""
        real = answers[..., : mask.shape[1]].relu() * mask[:, None]
        return real.amax(-1)
