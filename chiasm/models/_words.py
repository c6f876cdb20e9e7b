"""What all models that write sentences share: taught by given words, searching for their own (private to `models`).

- A batch with targets is taught: the words so far are given, the next one is asked at every place.
- A batch from which gradients are not recorded, or without targets, is answered: sentences are searched.
- A batch whose targets name a sentence to be held (`HELD`) has that one scored, and nothing is searched: so hiding a
  part of the input changes the score of the same sentence.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Output
from chiasm.data.words import PAD, START, UNKNOWN
from chiasm.heads.decode import Search, State
from chiasm.heads.decode.beam import BeamSearch
from chiasm.heads.decode.limits import Limits
from chiasm.heads.decode.sample import NucleusSampling
from chiasm.heads.words import WordOptions
from chiasm.layers.recording import Tap, paused
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective
from chiasm.objectives.words import spread_words

HEAD = "words"
HELD = "held"  # (B, T) int64 in a batch's targets: the sentence whose score is asked, `PAD` after its end
GENERATED = "generated"  # (B, K, T) in an output's states: the sentences that were found, best first
LOG_PROBABILITIES = "log_probabilities"  # (B, K) of them
ATTENTION = "attention"  # (B, T, R) of the taught words


class WritingModel(CrossModalModel):
    """A model that writes. A subclass gives the first state, one step, and the last layer `targets`."""

    config: WordOptions
    words: nn.Embedding  # of the words that are written
    targets: nn.Module  # features (..., D) -> scores of all words (..., V)
    looked_at: str = ""  # the stream that each word looks at; "": none

    def __init__(self, config: WordOptions, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        self.looks = Tap()
        self.search: Search = search_of(config)

    @abstractmethod
    def start(self, batch: Batch) -> State:
        """What is read, and one beam per example before its first word."""

    @abstractmethod
    def embed(self, words: Tensor) -> Tensor:
        """(B, K) -> what the decoder reads of the words (B, K, E): their vectors, or what is multiplied with them."""

    @abstractmethod
    def features(self, state: State, embedded: Tensor) -> tuple[Tensor, Tensor | None, State]:
        """One step: word vectors (B, K, E) -> features f (B, K, D), looks (B, K, R) or None, the next state."""

    def follow(self, state: State, words: Tensor) -> tuple[Tensor, Tensor | None]:
        """The words so far (B, T), `START` first -> features (B, T, D), looks (B, T, R) or None, at every place.

        A model that needs no loop overrides this.
        """
        features, looks = [], []
        for embedded in self.embed(words).unbind(1):  # one lookup: each would have a gradient as large as the table
            feature, look, state = self.features(state, embedded[:, None])
            features.append(feature)
            looks.append(look)
        seen = [look for look in looks if look is not None]
        return torch.cat(features, 1), torch.cat(seen, 1) if seen else None

    def step(self, state: State, words: Tensor) -> tuple[Tensor, State]:
        """What a search calls: words (B, K) -> scores (B, K, V), the next state."""
        features, _, state = self.features(state, self.embed(words))
        return self.targets(features), state

    def forward(self, batch: Batch) -> Output:
        """-> scores "words" (B,), the mean log-probability of a sentence's words: of the held, found or taught one."""
        state = self.start(batch)
        held, taught = batch.targets.get(HELD), batch.targets.get(HEAD)
        searching = held is None and (taught is None or not torch.is_grad_enabled())
        states: dict[str, Tensor] = {}
        score = None
        if taught is not None and held is None:
            with paused(self) if searching else nullcontext():
                score, logits, looks = self._scored(state, taught[..., 0])
            states[HEAD] = logits
            if looks is not None:
                states[ATTENTION] = looks
        if searching:
            with torch.no_grad(), paused(self):
                found = self.search(self.step, state, num_images=len(batch), device=self._device)
            states |= {GENERATED: found.words, LOG_PROBABILITIES: found.log_probabilities}
            held = found.words[:, 0]
        if held is not None:
            score = self._scored(state, held.masked_fill(held == PAD, -1))[0]
            if not searching:
                lengths = (held != PAD).sum(1)
                states |= {GENERATED: held[:, None], LOG_PROBABILITIES: (score * lengths)[:, None]}
        assert score is not None
        return Output({HEAD: score}, states)

    def losses(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """ "words": the mean over the taught places. Raises ValueError for a batch without sentences to learn."""
        taught, logits = batch.targets.get(HEAD), output.states.get(HEAD)
        if taught is None or logits is None:
            raise ValueError("the batch has no sentences to learn: give its examples answers")
        real = taught[..., 0] >= 0
        weights = batch.targets.get("words_weight")
        if weights is None:
            return {HEAD: self.objectives[HEAD](logits, taught[real][:, 0])}
        even = batch.targets.get("words_even")
        return {HEAD: spread_words(logits, taught[real], weights[real], None if even is None else even[real])}

    def hold(self, batch: Batch, output: Output) -> Batch:
        """The batch of which the best sentence in `output` is scored from now on."""
        return replace(batch, targets={**batch.targets, HELD: output.states[GENERATED][:, 0]})

    def evidence(self) -> tuple[Evidence, ...]:
        """What each word of the sentence looked at."""
        if not self.looked_at:
            return ()
        return (Evidence("alignment", HEAD, self.looked_at, ("looks",), f"each word looks at {self.looked_at}"),)

    def _scored(self, state: State, words: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """(B, T) a sentence each, -1 after its end -> mean log-probability (B,), logits (M, V) of the real places in
        the order of rows, looks (B, T, R) or None."""
        real = words >= 0
        so_far = torch.cat([words.new_full((len(words), 1), START), words[:, :-1]], 1)
        features, looks = self.follow(state, so_far.clamp(min=PAD))
        if looks is not None:
            looks = self.looks(looks[:, None])[:, 0]
        logits = self.targets(features[real])
        logs = logits.gather(1, words[real][:, None])[:, 0] - logits.logsumexp(-1)
        rows = real.nonzero()[:, 0]
        sums = torch.zeros(len(words), dtype=logs.dtype, device=logs.device).index_add(0, rows, logs)
        return sums / real.sum(1).clamp(min=1), logits, looks

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device


def regions_of(batch: Batch) -> tuple[Tensor, Tensor]:
    """Features (B, R, F) and mask (B, R) of the one image of each example. Raises ValueError without regions."""
    regions = batch.regions
    if regions is None:
        raise ValueError("a caption needs a stream 'regions'; add a [regions] section to the recipe")
    features, mask = regions.features, regions.attention_mask
    if regions.index is not None:
        if regions.index.shape[1] != 1:
            raise ValueError(f"a caption is of one image; the examples have {regions.index.shape[1]}")
        rows = regions.index[:, 0]
        features, mask = features[rows], None if mask is None else mask[rows]
    if mask is None:
        mask = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
    return features, mask


def mean_of(features: Tensor, mask: Tensor) -> Tensor:
    """(B, R, F), (B, R) -> (B, F), the mean over real regions, zero where there is none."""
    real = mask[..., None].to(features)
    return (features * real).sum(1) / real.sum(1).clamp(min=1)


def search_of(config: WordOptions, **limits: Any) -> Search:
    """The search that a configuration asks for; `limits` are further fields of `Limits`. Raises ValueError."""
    rules = Limits(
        max_words=config.max_words,
        min_words=config.min_words,
        block_repeats=config.block_repeats,
        forbidden=(PAD, START) if config.say_unknown else (PAD, START, UNKNOWN),
        **limits,
    )
    if config.decoding == "nucleus":
        if config.groups > 1:
            raise ValueError(f"groups is {config.groups}, and decoding 'nucleus' has no beams to divide: leave it at 1")
        return NucleusSampling(config.beam_size, config.top_p, config.temperature, config.sampling_seed, rules)
    return BeamSearch(config.beam_size, config.groups, config.diversity, config.length_penalty, rules)
