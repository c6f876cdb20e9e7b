"""bc-LSTM: contextual utterances by a bidirectional LSTM (Poria et al., ACL 2017), a baseline of COIN.

    utterances of the window -> bi-LSTM -> [attention over them] -> dense, tanh -> at the query -> emotion

It knows no speakers. Published, it reads the whole dialogue, so its recipes give the window a future.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Output
from chiasm.encoders.utterances import UtteranceOptions, at_query, the_dialogue, utterance_features
from chiasm.layers.dropout import Dropout
from chiasm.layers.masking import masked_softmax
from chiasm.layers.recording import Tap
from chiasm.layers.recurrent import SkippingLSTM
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config(UtteranceOptions):
    """The paper's sizes."""

    num_labels: int = 6  # emotions
    hidden_size: int = 300  # of the LSTM in one direction
    dense_size: int = 100
    dropout: float = 0.5
    attention: bool = False  # True: bc-LSTM+Att, the query's state attends to all states


class BcLstm(CrossModalModel):
    """bc-LSTM with a head over emotions."""

    streams: ClassVar[frozenset[str]] = frozenset({"dialogue"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        size = config.hidden_size
        self.utterances = utterance_features(config)
        self.lstm = SkippingLSTM(self.utterances.output_size, size)
        self.dropout = Dropout(config.dropout)
        self.match = nn.Linear(2 * size, 2 * size, bias=False) if config.attention else None
        self.tap = Tap()
        self.dense = nn.Linear(2 * size, config.dense_size)
        self.scores = nn.Linear(config.dense_size, config.num_labels)

    def forward(self, batch: Batch) -> Output:
        """Dialogue (B, U) -> scores "answer" (B, A), state "pooled" (B, D)."""
        dialogue = the_dialogue(batch)
        states = self.dropout(self.lstm(self.utterances(dialogue), dialogue.attention_mask))
        state = at_query(states, dialogue.query)
        if self.match is not None:
            state = self._attended(self.match(state), states, dialogue.attention_mask)
        pooled = self.dropout(torch.tanh(self.dense(state)))
        return Output(scores={"answer": self.scores(pooled)}, states={"pooled": pooled})

    def _attended(self, query: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        """(B, D), (B, U, D), (B, U) -> (B, D)."""
        weights = masked_softmax((states @ query[..., None])[..., 0], mask)
        return (self.tap(weights[:, None, None])[:, 0] @ states)[:, 0]

    def evidence(self) -> tuple[Evidence, ...]:
        """What the utterance attends to, with `attention`."""
        if self.match is None:
            return ()
        return (Evidence("memory read", "utterance", "dialogue", ("tap",), "what the utterance attends to"),)


Model = BcLstm
