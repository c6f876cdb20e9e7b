"""The mean of word embeddings, dropout, two layers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from chiasm.batch import Batch, Output
from chiasm.models import CrossModalModel


@dataclass(frozen=True)
class Config:
    vocab_size: int
    num_labels: int = 2
    hidden_size: int = 16
    dropout: float = 0.1


class WordBag(CrossModalModel):
    streams = frozenset({"text"})

    def __init__(self, config, objectives):
        super().__init__(config, objectives)
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        self.first = nn.Linear(2 * config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.scores = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, batch: Batch) -> Output:
        words = self.words(batch.text.input_ids[:, 1:3]).flatten(1)
        return Output({"answer": self.scores(self.dropout(self.first(words).relu()))})


Model = WordBag
