"""Show, Attend and Tell (Xu et al., ICML 2015), soft attention, the "attend" of the fixed-target paper.

    grid cells v -> mean -> first states h_0, c_0
    a_t = softmax(w . relu(W_v v + W_h h_t-1))
    z_t = sigmoid(W_b h_t-1) * sum a_t v
    h_t = LSTM([e_t; z_t])  ->  scores of the words

and every cell should be looked at about once: alpha_c * mean over cells of (1 - sum_t a_t)^2 is added to the loss.
With 9,490 words it has the 20,483,859 parameters of the public tutorial; the paper's Table 3 prints that number for the
model whose targets are *fixed*, and one matrix more for the trained one (see docs/words_out.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Output
from chiasm.heads.decode import State
from chiasm.heads.words import WordOptions, word_targets
from chiasm.layers.additive import AdditiveAttention
from chiasm.layers.cells import LSTMCell
from chiasm.layers.dropout import Dropout
from chiasm.layers.linear import Linear
from chiasm.models._words import ATTENTION, HEAD, WritingModel, mean_of, regions_of
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config(WordOptions):
    """The paper's sizes, found by its parameter count."""

    feature_size: int = 2048  # of a grid cell
    embedding_size: int = 512
    hidden_size: int = 512
    attention_size: int = 512
    dropout: float = 0.5  # of the LSTM's output
    alpha_c: float = 1.0  # weight of the doubly stochastic regulariser
    beam_size: int = 10
    max_words: int = 50


class Attend(WritingModel):
    """An LSTM that looks at a grid through a gate."""

    streams: ClassVar[frozenset[str]] = frozenset({"regions"})
    looked_at = "regions"
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        size, seen = config.hidden_size, config.feature_size
        self.words = nn.Embedding(config.num_words, config.embedding_size)
        nn.init.uniform_(self.words.weight, -0.1, 0.1)
        self.attention = AdditiveAttention(seen, size, config.attention_size, activation=torch.relu, query_bias=True)
        # The tutorial's score has a bias, which softmax does not feel: it is counted, and idle.
        self.score_bias = nn.Parameter(torch.zeros(1))
        self.first_hidden = Linear(seen, size)
        self.first_cell = Linear(seen, size)
        self.gate = Linear(size, seen)
        self.lstm = LSTMCell(config.embedding_size + seen, size)
        self.targets = word_targets(config, size, self.words)
        if config.targets == "trained":
            nn.init.uniform_(self.targets.weight, -0.1, 0.1)  # type: ignore[arg-type]
            nn.init.zeros_(self.targets.bias)  # type: ignore[arg-type]
        self.dropout = Dropout(config.dropout)

    def start(self, batch: Batch) -> State:
        """Regions (B, R, F) -> memory "cells" (B, R, F); beams "hidden", "cell" (B, 1, D)."""
        cells, mask = regions_of(batch)
        mean = mean_of(cells, mask)
        memory = {"cells": cells, "keys": self.attention.prepare(cells), "mask": mask}
        return State(memory, {"hidden": self.first_hidden(mean)[:, None], "cell": self.first_cell(mean)[:, None]})

    def embed(self, words: Tensor) -> Tensor:
        """(B, K) -> (B, K, E)."""
        return self.words(words)

    def features(self, state: State, embedded: Tensor) -> tuple[Tensor, Tensor, State]:
        """(B, K, E) -> f (B, K, D), attention (B, K, R), state."""
        memory, hidden = state.memory, state.beams["hidden"]
        weights, context = self.attention(hidden, memory["keys"], memory["cells"], memory["mask"])
        given = torch.cat([embedded, torch.sigmoid(self.gate(hidden)) * context], -1)
        hidden, cell = self.lstm(given, hidden, state.beams["cell"])
        return self.dropout(hidden), weights, state.after(hidden=hidden, cell=cell)

    def losses(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """ "words", and "attention": the doubly stochastic regulariser over the real cells."""
        found = super().losses(output, batch)
        if self.config.alpha_c:
            real = (batch.targets[HEAD][..., 0] >= 0)[..., None]  # (B, T, 1)
            away = (1 - (output.states[ATTENTION] * real).sum(1)) ** 2  # (B, R)
            mask = regions_of(batch)[1] & real.any(1)  # who says nothing looks nowhere
            found[ATTENTION] = self.config.alpha_c * (away * mask).sum() / mask.sum()
        return found

    def idle_parameters(self) -> frozenset[str]:
        """The bias of the attention's score."""
        return frozenset({"score_bias"})


Model = Attend
