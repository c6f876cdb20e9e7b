"""DialogueRNN: an attentive RNN for emotions in conversations (Majumder et al., AAAI 2019), a baseline of COIN.

    global state  g_t = GRU_G([u_t; q_speaker], g_{t-1})
    party state   q_speaker = GRU_P([u_t; what u_t attends to in g_1 .. g_{t-1}], q_speaker);  listeners keep theirs
    emotion state e_t = GRU_E(q_speaker, e_{t-1})       in both directions; e attends to all e; dense -> emotion

One set of GRUs serves all speakers. Published, it reads the whole dialogue, so its recipes give the window a future.
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
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config(UtteranceOptions):
    """The paper's kind of sizes; the released code has 500, 500 and 300."""

    num_labels: int = 6  # emotions
    hidden_size: int = 100  # of global, party and emotion states in one direction
    dropout: float = 0.3


class DialogueRnn(CrossModalModel):
    """Bidirectional DialogueRNN with attention over emotion states."""

    streams: ClassVar[frozenset[str]] = frozenset({"dialogue"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        size = config.hidden_size
        self.utterances = utterance_features(config)
        self.forwards = _Cell(self.utterances.output_size, size)
        self.backwards = _Cell(self.utterances.output_size, size)
        self.match = nn.Linear(2 * size, 2 * size, bias=False)
        self.tap = Tap()
        self.dropout = Dropout(config.dropout)
        self.dense = nn.Linear(2 * size, size)
        self.scores = nn.Linear(size, config.num_labels)

    def forward(self, batch: Batch) -> Output:
        """Dialogue (B, U) -> scores "answer" (B, A), state "pooled" (B, D)."""
        dialogue = the_dialogue(batch)
        x, speakers, mask = self.utterances(dialogue), dialogue.speakers, dialogue.attention_mask
        back = self.backwards(x.flip(1), speakers.flip(1), mask.flip(1)).flip(1)
        emotions = self.dropout(torch.cat([self.forwards(x, speakers, mask), back], -1))
        query = self.match(at_query(emotions, dialogue.query))
        weights = masked_softmax((emotions @ query[..., None])[..., 0], mask)
        attended = (self.tap(weights[:, None, None])[:, 0] @ emotions)[:, 0]
        pooled = self.dropout(self.dense(attended).relu())
        return Output(scores={"answer": self.scores(pooled)}, states={"pooled": pooled})

    def evidence(self) -> tuple[Evidence, ...]:
        """Which emotion states the utterance attends to."""
        return (Evidence("memory read", "utterance", "dialogue", ("tap",), "what the utterance attends to"),)


Model = DialogueRnn


class _Cell(nn.Module):
    """Global, party and emotion states through time."""

    def __init__(self, input_size: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.world = nn.GRUCell(input_size + size, size)
        self.party = nn.GRUCell(input_size + size, size)
        self.emotion = nn.GRUCell(size, size)
        self.match = nn.Linear(input_size, size, bias=False)

    def forward(self, x: Tensor, speakers: Tensor, mask: Tensor) -> Tensor:
        """(B, U, F), (B, U), (B, U) -> (B, U, D) emotion states, zero at padded slots; padding changes no state."""
        rows, wanted = torch.arange(len(x), device=x.device), self.match(x)
        parties = x.new_zeros(len(x), int(speakers.max()) + 1, self.size)
        world = emotion = x.new_zeros(len(x), self.size)
        worlds: list[Tensor] = []
        emotions = []
        for t in range(x.shape[1]):
            real, u, who = mask[:, t, None], x[:, t], speakers[:, t]
            party = parties[rows, who]
            context = _attended(worlds, wanted[:, t], mask[:, :t])
            new_world = self.world(torch.cat([u, party], -1), world)
            new_party = self.party(torch.cat([u, context], -1), party)
            world, party = torch.where(real, new_world, world), torch.where(real, new_party, party)
            emotion = torch.where(real, self.emotion(party, emotion), emotion)
            parties = parties.index_put((rows, who), party)
            worlds.append(world)
            emotions.append(emotion * real)
        return torch.stack(emotions, 1)


def _attended(worlds: list[Tensor], wanted: Tensor, mask: Tensor) -> Tensor:
    """T x (B, D), (B, D), (B, T) -> (B, D): the earlier global states as the utterance weighs them; zero for none."""
    if not worlds:
        return torch.zeros_like(wanted)
    earlier = torch.stack(worlds, 1)
    weights = masked_softmax((earlier @ wanted[..., None])[..., 0], mask)
    return (weights[:, None] @ earlier)[:, 0]
