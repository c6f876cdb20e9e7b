"""ICON: interactive conversational memory network (Hazarika et al., EMNLP 2018), a baseline of COIN.

    each speaker's history -> a GRU of his own (self-influence) -> on one timeline -> a global GRU -> memory
    the query reads the memory in R hops; after each the memory is rewritten by a GRU -> emotion

The speakers meet in the global GRU; no state is changed by the other speaker's, which is COIN's point.

# Differs: written from the paper's equations; dropout is off at prediction (ICON's code leaves it on), and validation
never sees test dialogues (it does there).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from chiasm.batch import Batch, Output
from chiasm.encoders.utterances import UtteranceOptions, around_query, at_query, the_dialogue, utterance_features
from chiasm.layers.dropout import Dropout
from chiasm.layers.masking import masked_softmax
from chiasm.layers.recording import Tap
from chiasm.layers.recurrent import run_recurrent
from chiasm.layers.stack import Stack
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config(UtteranceOptions):
    """The released code's sizes: width 100, three hops, keep rate 0.3."""

    num_labels: int = 6  # emotions
    hidden_size: int = 100
    hops: int = 3
    dropout_keep: float = 0.3  # the share that is kept


class Icon(CrossModalModel):
    """ICON with a head over emotions."""

    streams: ClassVar[frozenset[str]] = frozenset({"dialogue"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        size = config.hidden_size
        self.utterances = utterance_features(config)
        self.query = nn.Linear(self.utterances.output_size, size)
        self.own, self.other = (nn.GRU(self.utterances.output_size, size, batch_first=True) for _ in range(2))
        self.dialogue = nn.GRU(size, size, batch_first=True)
        self.rewrite: Stack[nn.GRU] = Stack(nn.GRU(size, size, batch_first=True) for _ in range(config.hops - 1))
        self.taps: Stack[Tap] = Stack(Tap() for _ in range(config.hops))
        self.dropout = Dropout(1 - config.dropout_keep)
        self.scores = nn.Linear(size, config.num_labels)

    def forward(self, batch: Batch) -> Output:
        """Dialogue (B, U) -> scores "answer" (B, A), state "pooled" (B, D)."""
        dialogue = the_dialogue(batch)
        utterances, history = self.utterances(dialogue), around_query(dialogue)
        is_own = dialogue.speakers == 0
        own = run_recurrent(self.own, utterances, history & is_own)
        other = run_recurrent(self.other, utterances, history & ~is_own)
        memory = run_recurrent(self.dialogue, self.dropout(own + other), history)  # one of the two is zero in each slot
        query = self.query(at_query(utterances, dialogue.query)).tanh()
        for tap, rewrite in zip(self.taps, [None, *self.rewrite], strict=True):
            if rewrite is not None:
                memory = run_recurrent(rewrite, self.dropout(memory), history)
            weights = masked_softmax((memory @ query[..., None])[..., 0], history)
            query = (query + (tap(weights[:, None, None])[:, 0] @ memory)[:, 0]).tanh()
        return Output(scores={"answer": self.scores(query)}, states={"pooled": query})

    def evidence(self) -> tuple[Evidence, ...]:
        """What the utterance reads in the dialogue, hop by hop."""
        taps = tuple(f"taps.{hop}" for hop in range(self.config.hops))
        return (Evidence("memory read", "utterance", "dialogue", taps, "what the utterance reads in the dialogue"),)


Model = Icon
