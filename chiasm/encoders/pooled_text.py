"""A text -> one vector: BERT's architecture from this library's layers, or any text encoder of `transformers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from chiasm.batch import Text
from chiasm.encoders.published import check_length, check_vocabulary, configuration, published
from chiasm.encoders.text import TextEmbedding
from chiasm.layers.initialise import initialise
from chiasm.layers.linear import Linear
from chiasm.layers.recording import Tap
from chiasm.layers.stack import Stack
from chiasm.layers.transformer import TransformerLayer


class BertText(nn.Module):
    """tanh(W h + b), h the state of [CLS] after BERT's layers (Devlin et al. 2019); without `pooler` h itself.

    The last layer is computed at [CLS] only, since nothing else is read.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        num_layers: int,
        num_heads: int,
        intermediate_size: int,
        *,
        max_positions: int = 512,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        initializer_range: float = 0.02,
        pooler: bool = True,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_hidden_layers is {num_layers}; a text encoder has at least 1")
        self.embedding = TextEmbedding(vocab_size, hidden_size, max_positions=max_positions, dropout=dropout)
        self.layers: Stack[TransformerLayer] = Stack(
            TransformerLayer(
                hidden_size, num_heads, intermediate_size, dropout=dropout, attention_dropout=attention_dropout
            )
            for _ in range(num_layers)
        )
        self.pooler = Linear(hidden_size, hidden_size) if pooler else None
        self.output_size = hidden_size
        initialise(self, initializer_range)

    def forward(self, text: Text) -> Tensor:
        """Text (B, T) -> (B, D)."""
        x = self.embedding(text)
        *layers, last = self.layers
        for layer in layers:
            x = layer(x, text.attention_mask)
        state = last.first(x, text.attention_mask)[:, 0]
        return state if self.pooler is None else torch.tanh(self.pooler(state))

    def taps(self) -> list[Tap]:
        """Where attention can be recorded, in layer order."""
        return [layer.self_attention.attention.tap for layer in self.layers]

    def word_table(self) -> nn.Module:
        """Where word pieces become vectors."""
        return self.embedding.words


class TransformersText(nn.Module):
    """A text encoder of `transformers`: its pooler's output, or, where it has none, tanh(W mean(h) + b) with W ours.

    `values` are its configuration with `model_type`; `weights`, when not empty, is a name or folder to load it from
    instead. Raises ValueError when that cannot be loaded.
    """

    def __init__(self, values: Mapping[str, Any], *, weights: str = "", vocab_size: int) -> None:
        super().__init__()
        from transformers import AutoModel

        if weights:
            self.encoder = published(weights, what="text encoder")
        else:
            chosen = configuration(values, section="options.transformers", vocab_size=vocab_size)
            self.encoder = AutoModel.from_config(chosen)
        config = self.encoder.config
        check_vocabulary(config, vocab_size)
        self.output_size = int(config.hidden_size)
        has_pooler = getattr(self.encoder, "pooler", None) is not None
        self.pooler = None if has_pooler else nn.Linear(self.output_size, self.output_size)
        self.max_positions = getattr(config, "max_position_embeddings", None)

    @property
    def configuration(self) -> dict[str, Any]:
        """Plain values from which the same encoder is built again without `weights`."""
        return dict(self.encoder.config.to_dict())

    def forward(self, text: Text) -> Tensor:
        """Text (B, T) -> (B, D). Raises ValueError for a text longer than the encoder's positions."""
        check_length(text, self.max_positions)
        output = self.encoder(input_ids=text.input_ids, attention_mask=text.attention_mask.long())
        if self.pooler is None:
            return output.pooler_output
        real = text.attention_mask.unsqueeze(2)
        mean = (output.last_hidden_state * real).sum(1) / real.sum(1).clamp(min=1)
        return torch.tanh(self.pooler(mean))

    def word_table(self) -> nn.Module:
        """Where word pieces become vectors."""
        return self.encoder.get_input_embeddings()
