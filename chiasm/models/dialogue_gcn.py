"""DialogueGCN: a graph network over the utterances of a dialogue (Ghosal et al., EMNLP 2019), a baseline of COIN.

    utterances -> bi-GRU -> g;  edges to the `reach` utterances before and after, weighted by attention
    h = relu(sum over relations r and neighbours j of alpha_ij W_r g_j + W_0 g_i);  r: who, to whom, before or after
    a second, plain graph convolution -> [g; h] attends to all -> dense -> emotion

Published, it reads the whole dialogue, so its recipes give the window a future. The graph is dense and masked: at most
41 utterances, no multi-edges.
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
from chiasm.layers.recurrent import SkippingGRU
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective

RELATIONS = (
    8  # speaker is the query's or another's, neighbour is the query's or another's, neighbour is before or after
)


@dataclass(frozen=True)
class Config(UtteranceOptions):
    """The released code's sizes."""

    num_labels: int = 6  # emotions
    hidden_size: int = 100  # of the bi-GRU in one direction and of the graph's states
    reach: int = 10  # utterances before and after that have an edge
    dropout: float = 0.4


class DialogueGcn(CrossModalModel):
    """DialogueGCN with a head over emotions."""

    streams: ClassVar[frozenset[str]] = frozenset({"dialogue"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        size = config.hidden_size
        self.utterances = utterance_features(config)
        self.context = SkippingGRU(self.utterances.output_size, size)
        self.edges = nn.Linear(2 * size, 2 * size, bias=False)
        self.relations = nn.Linear(2 * size, RELATIONS * size, bias=False)
        self.itself = nn.Linear(2 * size, size)
        self.neighbours, self.centre = nn.Linear(size, size, bias=False), nn.Linear(size, size)
        self.match = nn.Linear(3 * size, 3 * size, bias=False)
        self.edge_tap, self.tap = Tap(), Tap()
        self.dropout = Dropout(config.dropout)
        self.dense = nn.Linear(3 * size, size)
        self.scores = nn.Linear(size, config.num_labels)

    def forward(self, batch: Batch) -> Output:
        """Dialogue (B, U) -> scores "answer" (B, A), state "pooled" (B, D)."""
        dialogue = the_dialogue(batch)
        mask = dialogue.attention_mask
        context = self.dropout(self.context(self.utterances(dialogue), mask))
        edges = self._edges(mask)
        weights = self._weights(context, edges)
        first = (self._messages(context, weights, dialogue.speakers) + self.itself(context)).relu()
        second = self.dropout((weights @ self.neighbours(first) + self.centre(first)).relu())
        both = torch.cat([context, second], -1) * mask[..., None]
        query = self.match(at_query(both, dialogue.query))
        read = masked_softmax((both @ query[..., None])[..., 0], mask)
        attended = (self.tap(read[:, None, None])[:, 0] @ both)[:, 0]
        pooled = self.dropout(self.dense(attended).relu())
        return Output(scores={"answer": self.scores(pooled)}, states={"pooled": pooled})

    def _edges(self, mask: Tensor) -> Tensor:
        """(B, U) -> (B, U, U) bool: who hears whom, oneself included."""
        slots = torch.arange(mask.shape[1], device=mask.device)
        near = (slots[:, None] - slots).abs() <= self.config.reach
        return near & mask[:, :, None] & mask[:, None, :]

    def _weights(self, context: Tensor, edges: Tensor) -> Tensor:
        """(B, U, D), (B, U, U) -> (B, U, U), rows sum to 1."""
        scores = context @ self.edges(context).transpose(-1, -2)
        return self.edge_tap(masked_softmax(scores, edges)[:, None])[:, 0]

    def _messages(self, context: Tensor, weights: Tensor, speakers: Tensor) -> Tensor:
        """(B, U, D), (B, U, U), (B, U) -> (B, U, D'): each neighbour's state through its relation's matrix."""
        own, slots = (speakers == 0).long(), torch.arange(speakers.shape[1], device=speakers.device)
        relation = 4 * own[:, :, None] + 2 * own[:, None, :] + (slots[None, :] > slots[:, None]).long()  # (B, U, U)
        states = self.relations(context).unflatten(-1, (RELATIONS, -1))  # (B, U, relations, D')
        messages = torch.zeros_like(states[:, :, 0])
        for number in range(RELATIONS):
            messages = messages + (weights * (relation == number)) @ states[:, :, number]
        return messages

    def evidence(self) -> tuple[Evidence, ...]:
        """The weights of the edges, and what the utterance attends to."""
        return (
            Evidence("memory read", "utterance", "dialogue", ("tap",), "what the utterance attends to"),
            Evidence("edge weight", "dialogue", "dialogue", ("edge_tap",), "edges between utterances"),
        )


Model = DialogueGcn
