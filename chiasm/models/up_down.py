"""Up-Down captioning (Anderson et al., CVPR 2018), the captioner of the caption-sampling paper (sheet, section 3).

    regions v -> projected, mean -> v_mean
    word so far -> embedding e_t
    h1_t = LSTM([h2_t-1; v_mean; e_t])                  top-down attention
    a_t  = softmax(w . tanh(W_v v + W_h h1_t))
    h2_t = LSTM([sum a_t v; h1_t])                      language
    h2_t -> scores of the words

Sizes are of the public implementation that the sheet names, where the paper refers to "Up-Down" only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from chiasm.batch import Batch
from chiasm.heads.decode import State
from chiasm.heads.words import WordOptions, word_targets
from chiasm.layers.additive import AdditiveAttention
from chiasm.layers.cells import LSTMCell
from chiasm.layers.dropout import Dropout
from chiasm.layers.linear import Linear
from chiasm.models._words import WritingModel, mean_of, regions_of
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config(WordOptions):
    """Sizes of the public implementation."""

    feature_size: int = 2048  # of a region
    embedding_size: int = 1000  # of words; projected regions have `hidden_size`
    hidden_size: int = 1000  # of both LSTMs
    attention_size: int = 512
    dropout: float = 0.5
    max_words: int = 17  # 16 and the end


class UpDown(WritingModel):
    """Two LSTMs with attention between them."""

    streams: ClassVar[frozenset[str]] = frozenset({"regions"})
    looked_at = "regions"
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        size = config.hidden_size
        self.words = nn.Embedding(config.num_words, config.embedding_size)
        self.whole = Linear(config.feature_size, size)
        self.parts = Linear(config.feature_size, size)
        self.attention = AdditiveAttention(size, size, config.attention_size)
        self.top_down = LSTMCell(size, size, earlier=(size, config.embedding_size))
        self.language = LSTMCell(2 * size, size)
        self.targets = word_targets(config, size, self.words)
        self.dropout = Dropout(config.dropout)

    def start(self, batch: Batch) -> State:
        """Regions (B, R, F) -> memory "whole" (B, 1, 4 D), "parts" (B, R, D); beams: both LSTMs' states (B, 1, D)."""
        features, mask = regions_of(batch)
        parts = self.dropout(torch.relu(self.parts(features)))
        whole = self.dropout(torch.relu(self.whole(mean_of(features, mask))))
        zero = whole.new_zeros(len(whole), 1, self.config.hidden_size)
        memory = {
            "whole": self.top_down.before(0, whole[:, None]),
            "parts": parts,
            "keys": self.attention.prepare(parts),
            "mask": mask,
        }
        return State(memory, {"h1": zero, "c1": zero, "h2": zero, "c2": zero})

    def embed(self, words: Tensor) -> Tensor:
        """(B, K) -> what they add to the first LSTM's gates (B, K, 4 D)."""
        if torch.is_grad_enabled() or self.training:
            return self.top_down.before(1, self.dropout(torch.relu(self.words(words))))
        different, places = words.unique(return_inverse=True)  # of many beams only some
        return self.top_down.before(1, torch.relu(self.words(different)))[places]

    def features(self, state: State, embedded: Tensor) -> tuple[Tensor, Tensor, State]:
        """(B, K, 4 D) -> f (B, K, D), attention (B, K, R), state."""
        memory, beams = state.memory, state.beams
        h1, c1 = self.top_down(beams["h2"], beams["h1"], beams["c1"], memory["whole"], embedded)
        weights, context = self.attention(h1, memory["keys"], memory["parts"], memory["mask"])
        h2, c2 = self.language(torch.cat([context, h1], -1), beams["h2"], beams["c2"])
        return self.dropout(h2), weights, state.after(h1=h1, c1=c1, h2=h2, c2=c2)


Model = UpDown
