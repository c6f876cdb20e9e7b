"""CNN: convolutions over the words of one utterance (Kim, EMNLP 2014), a baseline of COIN and its text features.

    words -> filters over 3, 4, 5 neighbours -> maximum -> linear (100) -> relu -> emotion

The 100 numbers are what COIN, ICON and DialogueRNN call the text features (`states["pooled"]`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from chiasm.batch import Batch, Output
from chiasm.encoders.text_cnn import TextCnn
from chiasm.layers.dropout import Dropout
from chiasm.models import CrossModalModel
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config:
    """Kim's sizes, with the projection to 100 of COIN's features."""

    vocab_size: int = 30522  # word pieces
    num_labels: int = 6
    text_size: int = 100
    word_size: int = 300
    filters: int = 50  # of each width
    dropout: float = 0.5


class TextCnnClassifier(CrossModalModel):
    """One utterance, judged by its words alone."""

    streams: ClassVar[frozenset[str]] = frozenset({"text"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        self.text = TextCnn(
            config.vocab_size,
            config.text_size,
            word_size=config.word_size,
            filters=config.filters,
            dropout=config.dropout,
        )
        self.dropout = Dropout(config.dropout)
        self.scores = nn.Linear(config.text_size, config.num_labels)

    def forward(self, batch: Batch) -> Output:
        """Text (B, T) -> scores "answer" (B, A), state "pooled" (B, 100)."""
        if batch.text is None:
            raise ValueError("the text CNN needs a text stream; add a [text] section to the recipe")
        pooled = self.text(batch.text).relu()
        if batch.text.index is not None:
            pooled = pooled[batch.text.index[:, 0]]
        return Output(scores={"answer": self.scores(self.dropout(pooled))}, states={"pooled": pooled})

    def get_input_embeddings(self) -> nn.Module:
        """The table of word pieces, where gradients of the text are taken."""
        return self.text.words


Model = TextCnnClassifier
