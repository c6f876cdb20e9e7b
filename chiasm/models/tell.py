"""Show and Tell (Vinyals et al., CVPR 2015), the "tell" of the fixed-target paper: the image is the first word.

    mean of the regions -> v -> LSTM -> LSTM(e_1) -> LSTM(e_2) ...
                                          |            |
                                        scores       scores

# Differs: the paper prints 18,001,171 trainable parameters, which no architecture pins down (sheet `fixed_targets`,
section 3: two exact decompositions, neither certain). This is the plain one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from chiasm.batch import Batch
from chiasm.heads.decode import State
from chiasm.heads.words import WordOptions, word_targets
from chiasm.layers.cells import LSTMCell
from chiasm.layers.dropout import Dropout
from chiasm.layers.linear import Linear
from chiasm.models._words import WritingModel, mean_of, regions_of
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config(WordOptions):
    """The paper's sizes."""

    feature_size: int = 2048  # of a region or grid cell
    embedding_size: int = 512  # of words and of the image as the LSTM reads it
    hidden_size: int = 512
    dropout: float = 0.5  # of the LSTM's output
    beam_size: int = 10
    max_words: int = 50


class Tell(WritingModel):
    """One LSTM."""

    streams: ClassVar[frozenset[str]] = frozenset({"regions"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        self.image = Linear(config.feature_size, config.embedding_size)
        self.words = nn.Embedding(config.num_words, config.embedding_size)
        nn.init.uniform_(self.words.weight, -0.1, 0.1)
        self.lstm = LSTMCell(config.embedding_size, config.hidden_size)
        self.targets = word_targets(config, config.hidden_size, self.words)
        self.dropout = Dropout(config.dropout)

    def start(self, batch: Batch) -> State:
        """Regions (B, R, F) -> beams "hidden", "cell" (B, 1, D), after the image."""
        image = self.image(mean_of(*regions_of(batch)))[:, None]
        zero = image.new_zeros(len(image), 1, self.config.hidden_size)
        hidden, cell = self.lstm(image, zero, zero)
        return State({}, {"hidden": hidden, "cell": cell})

    def embed(self, words: Tensor) -> Tensor:
        """(B, K) -> (B, K, E)."""
        return self.words(words)

    def features(self, state: State, embedded: Tensor) -> tuple[Tensor, None, State]:
        """(B, K, E) -> f (B, K, D), None, state."""
        hidden, cell = self.lstm(embedded, state.beams["hidden"], state.beams["cell"])
        return self.dropout(hidden), None, state.after(hidden=hidden, cell=cell)


Model = Tell
