"""Beam search for all images at once, and diverse beam search (Vijayakumar et al., AAAI 2018).

At every word the `beam_size` best continuations of an image's beams are kept. One that ends its sentence is set aside
and leaves its place to others; at the greatest length the rest is cut and set aside too. A sentence's score is

    sum of log p(word) / (words, the end counted) ^ length_penalty

and an image is done when no beam can come to a better score than those set aside: the result is the same as without
stopping. Images that are done leave the batch, so that one long sentence does not keep all others waiting.

In diverse beam search the beams are divided into groups, which choose one after the other; a group's choice of a word
counts less by `diversity` for each beam of an earlier group that has just chosen it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from chiasm.data.words import END, PAD, START
from chiasm.heads.decode import Generated, State, Step, ranked
from chiasm.heads.decode.continuations import best, normalisers
from chiasm.heads.decode.limits import NEVER, Limits

LEAVING = 4  # images leave when a quarter of them is done: copying what the others read costs time too


@dataclass(frozen=True)
class BeamSearch:
    """`beam_size` = 1 is greedy decoding. Raises ValueError for sizes that do not fit."""

    beam_size: int = 5
    groups: int = 1
    diversity: float = 0.5
    length_penalty: float = 0.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.beam_size < 1 or self.groups < 1 or self.beam_size % self.groups:
            raise ValueError(f"beam_size {self.beam_size} must be a multiple of groups {self.groups}, and at least 1")
        if self.length_penalty < 0:
            raise ValueError(f"length_penalty is {self.length_penalty}: it must not be negative")

    def __call__(self, step: Step, state: State, *, num_images: int, device: torch.device) -> Generated:
        """The `beam_size` best sentences of each image."""
        run = _Run(self, num_images, device)
        words = torch.full((num_images, 1), START, device=device)
        for place in range(self.limits.max_words):
            scores, state = step(state, words)
            beams, words = run.choose(scores)
            state = state.select(beams if place else torch.zeros_like(beams))
            if place + 1 == self.limits.max_words:
                break
            done = run.done()
            left = len(done) - int(done.sum())
            if not left:
                break
            if left * LEAVING <= len(done) * (LEAVING - 1):
                going = run.leave(done)
                state, words = state.keep(going), words[going]
        return run.result()


class _Run:
    """One search: B images that are not done, G groups of k beams each, K = G k."""

    def __init__(self, search: BeamSearch, num_images: int, device: torch.device) -> None:
        self.search, self.limits = search, search.limits
        size, groups = search.beam_size // search.groups, search.groups
        shape = (num_images, groups, size)
        self.alive = torch.full(shape, NEVER, device=device)  # log-probabilities of the unfinished
        self.alive[..., 0] = 0.0
        self.said = torch.zeros(num_images, groups * size, 0, dtype=torch.int64, device=device)
        self.finished = torch.full(shape, NEVER, device=device)  # scores of those set aside, best first
        self.kept = torch.full((*shape, self.limits.max_words), PAD, device=device)
        self.images = torch.arange(num_images, device=device)  # which ones they are
        self.scores, self.words = self.finished.clone(), self.kept.clone()  # of all images, once they are done

    def choose(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K or 1, V) -> the beams that go on (B, K), places among those before, and their new words (B, K)."""
        count, groups, size = self.alive.shape
        normal = normalisers(scores)
        scores = self.limits.apply(scores, self.said[:, : scores.shape[1]])
        if scores.shape[1] == 1 < groups * size:  # the first word: all beams are still the same
            normal, scores = normal.expand(-1, groups * size), scores.expand(-1, groups * size, -1)
        scores, normal = scores.unflatten(1, (groups, size)), normal.unflatten(1, (groups, size))
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        for group in range(groups):
            own = given = scores[:, group]
            if group and self.search.diversity:
                earlier = torch.cat([said for _, said, _ in found], 1)
                times = torch.zeros(count, scores.shape[-1], device=scores.device)
                times.scatter_add_(1, earlier, torch.ones_like(earlier, dtype=times.dtype))
                given = given - self.search.diversity * times[:, None]
            found.append(_best(given, own, normal[:, group], self.alive[:, group], size))
        beams, words, chosen = (torch.stack(parts, 1) for parts in zip(*found, strict=True))  # (B, G, k)
        before = self.said.unflatten(1, (groups, size)).gather(
            2, beams[..., None].expand(-1, -1, -1, self.said.shape[-1])
        )
        said = torch.cat([before, words[..., None]], -1)
        self.alive = chosen
        self._set_aside(said, words == END)
        self.said = said.flatten(1, 2)
        first = torch.arange(groups, device=beams.device)[:, None] * size
        return (beams + first).flatten(1), words.flatten(1)

    def done(self) -> Tensor:
        """(B,) bool: the images of which no beam can still become one of the best."""
        longest = self.limits.max_words**self.search.length_penalty
        return (self.alive.amax(-1) / longest <= self.finished[..., -1]).all(1)

    def leave(self, done: Tensor) -> Tensor:
        """Take the images in `done` (B,) out of the search -> the places of the others."""
        self._write(done)
        going = (~done).nonzero()[:, 0]
        self.images, self.alive, self.said = self.images[going], self.alive[going], self.said[going]
        self.finished, self.kept = self.finished[going], self.kept[going]
        return going

    def result(self) -> Generated:
        """What was set aside, with the sentences that are cut at the greatest length."""
        groups, size = self.alive.shape[1:]
        if self.said.shape[-1] == self.limits.max_words:
            self._set_aside(self.said.unflatten(1, (groups, size)), torch.ones_like(self.alive, dtype=torch.bool))
        self._write(torch.ones_like(self.images, dtype=torch.bool))
        words, scores = self.words.flatten(1, 2), self.scores.flatten(1)
        lengths = (words != PAD).sum(-1).clamp(min=1)
        sums = torch.where(scores == NEVER, scores, scores * lengths**self.search.length_penalty)
        return ranked(words, scores, sums)

    def _write(self, these: Tensor) -> None:
        """What was set aside of some images (B,) is what they have come to."""
        self.scores[self.images[these]] = self.finished[these]
        self.words[self.images[these]] = self.kept[these]

    def _set_aside(self, said: Tensor, ended: Tensor) -> None:
        """Move the ended beams (B, G, k) of `said` (B, G, k, t) among the finished, of which the best are kept."""
        length = said.shape[-1]
        if not length or not ended.any():
            return
        scores = torch.where(ended, self.alive / length**self.search.length_penalty, NEVER)
        self.alive = torch.where(ended, NEVER, self.alive)
        words = torch.nn.functional.pad(said, (0, self.limits.max_words - length), value=PAD)
        together = torch.cat([self.finished, scores], -1)
        self.finished, places = together.topk(scores.shape[-1], dim=-1)
        words = torch.cat([self.kept, words], 2)
        self.kept = words.gather(2, places[..., None].expand(-1, -1, -1, words.shape[-1]))


def _best(given: Tensor, scores: Tensor, normal: Tensor, alive: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The `size` best continuations of the beams of each image, chosen by `given`, counted by `scores`.

    (B, k, V), (B, k, V), (B, k), (B, k) -> beams, words, log-probabilities (B, size). The words of a beam are ranked
    before they are normalised, since the normaliser is the same for all of them.
    """
    before = alive - normal
    chosen, beams, words = best(given, before, size)
    if given is not scores:
        rows = torch.arange(len(beams), device=beams.device)[:, None]
        counted = scores[rows, beams, words] + before[rows, beams]
        chosen = torch.where(chosen == NEVER, NEVER, counted)  # there are fewer words that may be said than beams
    return beams, words, chosen
