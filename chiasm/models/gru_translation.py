"""Attention-based GRU translation (Bahdanau, Cho and Bengio, ICLR 2015), as the fixed-target paper trains it.

    source words -> embedding -> bi-GRU -> states h_1 .. h_S
                                   |  last ones -> tanh -> first decoder state s_0
    word so far  -> embedding e_t
    a_t = softmax(v . tanh(W [s_t-1; h])),  c_t = sum a_t h
    s_t = GRU([e_t; c_t], s_t-1)
    f_t = W_o [s_t; c_t; e_t]  ->  scores of the target words

With 5,893 and 7,853 words this has exactly the parameters that the paper prints in Table 3 (sheet `fixed_targets`): the
layer before the classifier is not described there, but found by that count; it has no activation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Text
from chiasm.heads.decode import State
from chiasm.heads.words import WordOptions, word_targets
from chiasm.layers.additive import AdditiveAttention
from chiasm.layers.cells import GRUCell
from chiasm.layers.dropout import Dropout
from chiasm.layers.linear import Linear
from chiasm.layers.recurrent import SkippingGRU
from chiasm.models._words import WritingModel
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config(WordOptions):
    """The paper's sizes; it prints no beam size."""

    vocab_size: int = 7853  # source words
    embedding_size: int = 256
    hidden_size: int = 512  # of the encoder in each direction, the decoder and the attention
    output_size: int = 512  # of f; tied targets need the embedding's
    dropout: float = 0.5  # of both embeddings
    initial_deviation: float = 0.0  # weights begin as N(0, this) and biases as 0, in the tutorial 0.01; 0: torch's own
    max_words: int = 50


class GruTranslation(WritingModel):
    """An encoder in both directions, attention, a decoder."""

    streams: ClassVar[frozenset[str]] = frozenset({"text"})
    looked_at = "text"
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        size = config.hidden_size
        self.source_words = nn.Embedding(config.vocab_size, config.embedding_size)
        self.encoder = SkippingGRU(config.embedding_size, size)
        self.first_state = Linear(2 * size, size)
        self.attention = AdditiveAttention(2 * size, size, size)
        self.words = nn.Embedding(config.num_words, config.embedding_size)
        self.decoder = GRUCell(config.embedding_size + 2 * size, size)
        self.output = Linear(size + 2 * size + config.embedding_size, config.output_size)
        self.targets = word_targets(config, config.output_size, self.words)
        self.dropout = Dropout(config.dropout)
        if config.initial_deviation < 0:
            raise ValueError(f"initial_deviation is {config.initial_deviation}: it must not be negative")
        if config.initial_deviation:
            for name, parameter in self.named_parameters():
                nn.init.normal_(parameter, std=config.initial_deviation if "weight" in name else 0.0)

    def start(self, batch: Batch) -> State:
        """Text (B, S) -> memory "states" (B, S, 2D); beams "hidden" (B, 1, D)."""
        text = source_of(batch)
        mask = text.attention_mask
        states = self.encoder(self.dropout(self.source_words(text.input_ids)), mask)
        size = self.config.hidden_size
        last = (mask.sum(1) - 1).clamp(min=0)
        ends = torch.cat([states[torch.arange(len(last), device=last.device), last, :size], states[:, 0, size:]], -1)
        memory = {"states": states, "keys": self.attention.prepare(states), "mask": mask}
        return State(memory, {"hidden": torch.tanh(self.first_state(ends))[:, None]})

    def embed(self, words: Tensor) -> Tensor:
        """(B, K) -> (B, K, E)."""
        return self.dropout(self.words(words))

    def features(self, state: State, embedded: Tensor) -> tuple[Tensor, Tensor, State]:
        """(B, K, E) -> f = W_o [s; c; e] (B, K, F), attention (B, K, S), state."""
        memory, hidden = state.memory, state.beams["hidden"]
        weights, context = self.attention(hidden, memory["keys"], memory["states"], memory["mask"])
        given = torch.cat([embedded, context], -1)
        hidden = self.decoder(given, hidden)
        feature = self.output(torch.cat([hidden, context, embedded], -1))
        return feature, weights, state.after(hidden=hidden)

    def get_input_embeddings(self) -> nn.Module:
        """The table of source words, where gradients of the text are taken."""
        return self.source_words


Model = GruTranslation


def source_of(batch: Batch) -> Text:
    """The sentences to translate, one row for each example, padding after them. Raises ValueError without."""
    text = batch.text
    if text is None:
        raise ValueError("a translation needs a stream 'text'; add a [text] section to the recipe")
    if text.index is None:
        return text
    rows = text.index[:, 0]
    return Text(text.input_ids[rows], text.attention_mask[rows])
