"""What a sentence may not be: too long, too short, repeating itself, with forbidden words or without required ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from chiasm.data.words import END, PAD, START, UNKNOWN

NEVER = float("-inf")


@dataclass(frozen=True)
class Limits:
    """Rules about sentences, applied to scores before words are chosen. Raises ValueError when none can obey."""

    max_words: int = 20  # the end of the sentence counted; a longer one is cut
    min_words: int = 0  # before the end
    block_repeats: int = 0  # no run of so many words occurs twice; 0: any may
    forbidden: tuple[int, ...] = (PAD, START, UNKNOWN)
    first: tuple[int, ...] = ()  # words with which every sentence begins
    required: tuple[int, ...] = ()  # words that must stand in the sentence, in any order

    def __post_init__(self) -> None:
        if self.max_words < 1:
            raise ValueError(f"max_words is {self.max_words}: at least 1 is needed")
        if self.min_words < 0 or self.block_repeats < 0:
            raise ValueError("min_words and block_repeats must not be negative")
        needed = len(self.first) + len(set(self.required) - set(self.first)) + 1
        if max(needed, self.min_words + 1) > self.max_words:
            raise ValueError(f"a sentence of {self.max_words} words cannot hold what is asked of it")
        both = {*self.first, *self.required} & set(self.forbidden)
        if both:
            raise ValueError(f"words {sorted(both)} are required and forbidden")

    def apply(self, scores: Tensor, said: Tensor) -> Tensor:
        """(B, K, V), (B, K, t) the words so far -> the same scores, changed in place: -inf for what may not follow."""
        place = said.shape[-1]
        if self.forbidden:
            scores[..., list(self.forbidden)] = NEVER
        if place < len(self.first):
            return _only(scores, scores.new_tensor([self.first[place]], dtype=torch.int64))
        if place < self.min_words:
            scores[..., END] = NEVER
        if self.block_repeats:
            self._block(scores, said)
        if self.required:
            self._require(scores, said)
        return scores

    def _block(self, scores: Tensor, said: Tensor) -> None:
        """Words that would end a run for the second time."""
        size, place = self.block_repeats, said.shape[-1]
        if place < size:
            return
        runs = said.unfold(-1, size, 1)  # (B, K, t - size + 1, size)
        last = said[..., place - size + 1 :][..., None, :]  # (B, K, 1, size - 1)
        again = (runs[..., :-1] == last).all(-1)
        words = torch.where(again, runs[..., -1], PAD)  # `PAD` is forbidden anyway, or harmless
        held = scores[..., PAD].clone()
        scores.scatter_(-1, words, NEVER)
        scores[..., PAD] = held

    def _require(self, scores: Tensor, said: Tensor) -> None:
        """No end before all required words are said; only they once there is just room for them and the end."""
        wanted = torch.tensor(list(dict.fromkeys(self.required)), device=said.device)  # one given twice is said once
        missing = ~(said[..., None] == wanted).any(-2)  # (B, K, n)
        count = missing.sum(-1)
        scores[..., END].masked_fill_(count > 0, NEVER)
        urgent = (count > 0) & (self.max_words - said.shape[-1] - 1 <= count)
        if urgent.any():
            kept = scores[..., wanted].masked_fill(~missing, NEVER)
            alone = torch.full_like(scores, NEVER)
            alone[..., wanted] = kept
            scores.copy_(torch.where(urgent[..., None], alone, scores))


def _only(scores: Tensor, words: Tensor) -> Tensor:
    kept = scores[..., words]
    scores.fill_(NEVER)
    scores[..., words] = kept
    return scores
