"""COIN: conversational interactive networks for emotion recognition (Zhang & Chai, NAACL MAI workshop 2021).

    the K utterances before -> a GRU for each speaker -> each state gated by the other's last one (SMI) -> M
    M -> [bi-GRU -> self-attention -> M_att -> next M] x L
    the utterance u         -> linear -> [u + what it reads in M_att, tanh] x L -> emotion

Speakers are roles: A is who says the utterance asked about, B the other; further parties share B's parameters.
Adversarial training is the procedure `adversarial`, which perturbs what leaves `utterances`.

# Differs (sheet `coin`, section 8):
- W_o is 2d x |C|; the paper prints d x |C|, but u has 2d entries.
- the next stack reads M_att; one sentence of the paper says the bi-GRU's output (`feeds_attended = false`).
- the printed keep rate p = 0.3 drops 70 %. It acts on GRU outputs and attention weights, and never at prediction.
- what the query reads may stand before or after it; the paper's histories end before it (`[dialogue] future = 0`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from chiasm.batch import Batch, Output
from chiasm.encoders.utterances import UtteranceOptions, around_query, at_query, the_dialogue, utterance_features
from chiasm.fusion.conversation import ContextualInteraction, MutualInteraction, SpeakerStates
from chiasm.layers.dropout import Dropout
from chiasm.layers.stack import Stack
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config(UtteranceOptions):
    """The paper's best: L = 3, d = 100, keep rate 0.3, text 100 + audio 100 + visual 512 features."""

    num_labels: int = 6  # emotions
    hidden_size: int = 100  # d, of a GRU in one direction
    layers: int = 3  # L, stacks of contextual interaction
    dropout_keep: float = 0.3  # p, the share that is kept
    mutual_interaction: bool = True  # False: the ablation without SMI, states are not gated
    feeds_attended: bool = True  # False: the next stack reads the bi-GRU's output
    project_inputs: bool = False  # True: one linear layer to d before the speakers' GRUs
    wide_scale: bool = False  # True: attention is divided by sqrt(2d), the width of the keys


class Coin(CrossModalModel):
    """COIN with a head over emotions."""

    streams: ClassVar[frozenset[str]] = frozenset({"dialogue"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        size, dropout = config.hidden_size, 1 - config.dropout_keep
        self.utterances = utterance_features(config)
        self.inputs = nn.Linear(self.utterances.output_size, size) if config.project_inputs else nn.Identity()
        self.speakers = SpeakerStates(size if config.project_inputs else self.utterances.output_size, size)
        self.interaction = MutualInteraction(size) if config.mutual_interaction else None
        self.dropout = Dropout(dropout)
        self.query = nn.Linear(self.utterances.output_size, 2 * size)
        scale = math.sqrt(2 * size if config.wide_scale else size)
        self.stacks: Stack[ContextualInteraction] = Stack(
            ContextualInteraction(size, dropout=dropout, feeds_attended=config.feeds_attended, scale=scale)
            for _ in range(config.layers)
        )
        self.scores = nn.Linear(2 * size, config.num_labels)

    def forward(self, batch: Batch) -> Output:
        """Dialogue (B, U) -> scores "answer" (B, A), state "pooled" (B, 2D)."""
        dialogue = the_dialogue(batch)
        history = around_query(dialogue)
        utterances = self.utterances(dialogue)
        states = self.speakers(self.inputs(utterances), dialogue.speakers, history)
        if self.interaction is not None:
            states = self.interaction(states, dialogue.speakers, history)
        memory, u = self.dropout(states), self.query(at_query(utterances, dialogue.query))
        for stack in self.stacks:
            memory, u = stack(memory, u, history)
        return Output(scores={"answer": self.scores(u)}, states={"pooled": u})

    def evidence(self) -> tuple[Evidence, ...]:
        """What the utterance reads in the dialogue, and what the dialogue's utterances attend to, stack by stack."""
        name = {module: name for name, module in self.named_modules()}
        reads = tuple(name[stack.read_tap] for stack in self.stacks)
        attention = tuple(name[stack.attention_tap] for stack in self.stacks)
        return (
            Evidence("memory read", "utterance", "dialogue", reads, "what the utterance reads in the dialogue"),
            Evidence("self-attention", "dialogue", "dialogue", attention, "utterances look at each other"),
        )


Model = Coin
