"""Writing word by word: what a decoder gives, and what a search makes of it.

A decoder is a function `step(state, words) -> (scores, state)`; a search calls it until every sentence has ended.
Searches hold all images and all beams in the same tensors, and know nothing of what the decoder is made of.

    state.memory   (B, ...)      read by every beam of an image, never copied
    state.beams    (B, K, ...)   what each beam carries from word to word
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from chiasm.data.words import PAD


@dataclass(frozen=True)
class State:
    """Where a decoder is in the sentences that it writes."""

    memory: Mapping[str, Tensor] = field(default_factory=dict)  # name -> (B, ...)
    beams: Mapping[str, Tensor] = field(default_factory=dict)  # name -> (B, K, ...)

    def select(self, places: Tensor) -> State:
        """The beams at `places` (B, K'), int64 among the K there are; the memory stays where it is."""
        rows = torch.arange(len(places), device=places.device)[:, None]
        return State(self.memory, {name: tensor[rows, places] for name, tensor in self.beams.items()})

    def keep(self, images: Tensor) -> State:
        """The images at `images`, int64 among the B there are."""
        return State(
            {name: tensor[images] for name, tensor in self.memory.items()},
            {name: tensor[images] for name, tensor in self.beams.items()},
        )

    def after(self, **beams: Tensor) -> State:
        """The same memory with new values carried by the beams."""
        return State(self.memory, beams)


Step = Callable[[State, Tensor], tuple[Tensor, State]]  # (state, words (B, K)) -> scores (B, K, V), the next state


@dataclass(frozen=True)
class Generated:
    """Sentences, best first."""

    words: Tensor  # (B, K, T) int64, `END` after the last word unless it was cut, then `PAD`
    scores: Tensor  # (B, K) what they are ranked by
    log_probabilities: Tensor  # (B, K) the sum over their words

    @property
    def lengths(self) -> Tensor:
        """(B, K) words, the end counted."""
        return (self.words != PAD).sum(-1)


class Search(Protocol):
    """Beam search, sampling, ...: from a decoder's first state, one beam per image, to sentences."""

    def __call__(self, step: Step, state: State, *, num_images: int, device: torch.device) -> Generated: ...


def ranked(words: Tensor, scores: Tensor, log_probabilities: Tensor) -> Generated:
    """(B, K, T), (B, K), (B, K) -> the sentences of each image, best first; columns that are all padding are cut."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    rows = torch.arange(len(order), device=order.device)[:, None]
    longest = max(1, int((words != PAD).sum(-1).max())) if words.numel() else words.shape[-1]
    return Generated(words[rows, order, :longest], scores[rows, order], log_probabilities[rows, order])
