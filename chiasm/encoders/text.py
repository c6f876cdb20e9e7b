"""Word pieces -> vectors, as BERT embeds them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.batch import Text
from chiasm.layers.dropout import Dropout
from chiasm.layers.transformer import LAYER_NORM_EPS


class TextEmbedding(nn.Module):
    """LN(word + position + type), dropout (Devlin et al. 2019, figure 2).

    With `padding_idx` row 0 of all three tables is frozen: the padding word, but also the position of [CLS] and
    token type 0. That is how LXMERT was trained; see the sheet, section 3, "Initialisation".
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        *,
        max_positions: int = 512,
        type_vocab_size: int = 2,
        dropout: float = 0.1,
        padding_idx: int | None = None,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, hidden_size, padding_idx=padding_idx)
        self.positions = nn.Embedding(max_positions, hidden_size, padding_idx=padding_idx)
        self.types = nn.Embedding(type_vocab_size, hidden_size, padding_idx=padding_idx)
        self.norm = nn.LayerNorm(hidden_size, eps=LAYER_NORM_EPS)
        self.dropout = Dropout(dropout)

    def forward(self, text: Text) -> Tensor:
        """Text (B, T) -> (B, T, D). Raises ValueError when T exceeds the position table."""
        return self.dropout(self.norm(summed(text, self.words, self.positions, self.types)))


def summed(text: Text, words: nn.Embedding, positions: nn.Embedding, types: nn.Embedding) -> Tensor:
    """Text (B, T) -> (B, T, D), word + position + type. Raises ValueError when T exceeds the position table."""
    length = text.input_ids.shape[1]
    if length > positions.num_embeddings:
        raise ValueError(
            f"a text of {length} word pieces is longer than the model's {positions.num_embeddings} "
            "positions; lower [text] max_length or raise max_position_embeddings"
        )
    kinds = text.token_type_ids if text.token_type_ids is not None else torch.zeros_like(text.input_ids)
    places = torch.arange(length, device=text.input_ids.device)
    x: Tensor = words(text.input_ids) + positions(places) + types(kinds)
    return x
