"""Words and regions without an encoder of their own: one linear map of each (CMR, ablation of section 5.2)."""

from __future__ import annotations

from torch import Tensor, nn

from chiasm.batch import Regions, Text
from chiasm.encoders.text import summed
from chiasm.layers.linear import Linear


class RawText(nn.Module):
    """W (word + position + type) + b: BERT's tables as they are, without its layer norm and layers.

    The tables have the names of `TextEmbedding`'s, so that published ones fit.
    """

    def __init__(
        self, vocab_size: int, hidden_size: int, *, max_positions: int = 512, type_vocab_size: int = 2
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, hidden_size)
        self.positions = nn.Embedding(max_positions, hidden_size)
        self.types = nn.Embedding(type_vocab_size, hidden_size)
        self.map = Linear(hidden_size, hidden_size)

    def forward(self, text: Text) -> Tensor:
        """Text (B, T) -> (B, T, D). Raises ValueError when T exceeds the position table."""
        return self.map(summed(text, self.words, self.positions, self.types))


class RawRegions(nn.Module):
    """W f + b of a region's features f; its box is not read."""

    def __init__(self, feature_size: int, hidden_size: int) -> None:
        super().__init__()
        self.map = Linear(feature_size, hidden_size)

    def forward(self, regions: Regions) -> Tensor:
        """Regions (I, R, F) -> (I, R, D)."""
        return self.map(regions.features)
