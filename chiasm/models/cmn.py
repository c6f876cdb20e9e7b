"""CMN: conversational memory networks (Hazarika et al., NAACL 2018), a baseline of COIN.

    own history   -> GRU -> memory of the speaker  --\
                                                       read by the query in R hops -> emotion
    other history -> GRU -> memory of the others   --/

The two histories never meet but in the query, which adds what it reads in both.

# Differs: written from the paper's equations, "CMN-style": one GRU for each person and hop, adjacent memories tied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

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
    """Sizes as in ICON's, its successor's, code."""

    num_labels: int = 6  # emotions
    hidden_size: int = 100
    hops: int = 3
    dropout: float = 0.3


class Cmn(CrossModalModel):
    """CMN with a head over emotions."""

    streams: ClassVar[frozenset[str]] = frozenset({"dialogue"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        size = config.hidden_size
        self.utterances = utterance_features(config)
        self.query = nn.Linear(self.utterances.output_size, size)
        self.inputs = nn.Linear(self.utterances.output_size, size)
        self.own: Stack[_Memory] = Stack(_Memory(size) for _ in range(config.hops))
        self.other: Stack[_Memory] = Stack(_Memory(size) for _ in range(config.hops))
        self.dropout = Dropout(config.dropout)
        self.scores = nn.Linear(size, config.num_labels)

    def forward(self, batch: Batch) -> Output:
        """Dialogue (B, U) -> scores "answer" (B, A), state "pooled" (B, D)."""
        dialogue = the_dialogue(batch)
        utterances, history = self.utterances(dialogue), around_query(dialogue)
        masks = (history & (dialogue.speakers == 0), history & (dialogue.speakers != 0))
        query = self.query(at_query(utterances, dialogue.query)).tanh()
        own = other = self.dropout(self.inputs(utterances).tanh())
        for memory_own, memory_other in zip(self.own, self.other, strict=True):
            own, read_own = memory_own(own, query, masks[0])
            other, read_other = memory_other(other, query, masks[1])
            query = (query + read_own + read_other).tanh()
        pooled = self.dropout(query)
        return Output(scores={"answer": self.scores(pooled)}, states={"pooled": pooled})

    def evidence(self) -> tuple[Evidence, ...]:
        """What the utterance reads in both histories, hop by hop."""
        hops = range(self.config.hops)
        return tuple(
            Evidence("memory read", "utterance", "dialogue", tuple(f"{who}.{hop}.tap" for hop in hops), title)
            for who, title in (("own", "what it reads in its speaker's history"), ("other", "in the others' history"))
        )


Model = Cmn


class _Memory(nn.Module):
    """One person's memory in one hop."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gru = nn.GRU(size, size, batch_first=True)
        self.tap = Tap()

    def forward(self, x: Tensor, query: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, U, D), (B, D), (B, U) -> the memory (B, U, D) and what the query reads in it (B, D)."""
        memory = run_recurrent(self.gru, x, mask)
        weights = masked_softmax((memory @ query[..., None])[..., 0], mask)
        return memory, (self.tap(weights[:, None, None])[:, 0] @ memory)[:, 0]
