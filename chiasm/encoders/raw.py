"""Words and regions without an encoder of their own: one linear map of each (CMR, ablation of section 5.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.batch import Regions, Text
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
        length = text.input_ids.shape[1]
        if length > self.positions.num_embeddings:
            raise ValueError(
                f"a text of {length} word pieces is longer than the model's {self.positions.num_embeddings} "
                "positions; lower [text] max_length or raise max_position_embeddings"
            )
        types = text.token_type_ids if text.token_type_ids is not None else torch.zeros_like(text.input_ids)
        positions = torch.arange(length, device=text.input_ids.device)
        return self.map(self.words(text.input_ids) + self.positions(positions) + self.types(types))


class RawRegions(nn.Module):
    """W f + b of a region's features f; its box is not read."""

    def __init__(self, feature_size: int, hidden_size: int) -> None:
        super().__init__()
        self.map = Linear(feature_size, hidden_size)

    def forward(self, regions: Regions) -> Tensor:
        """Regions (I, R, F) -> (I, R, D)."""
        return self.map(regions.features)
