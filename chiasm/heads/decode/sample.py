"""Nucleus sampling (Holtzman et al., ICLR 2020): words drawn from the smallest set that holds `top_p` of the mass."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from chiasm.data.draws import uniform
from chiasm.data.words import END, PAD, START
from chiasm.heads.decode import Generated, State, Step, ranked
from chiasm.heads.decode.limits import NEVER, Limits


@dataclass(frozen=True)
class NucleusSampling:
    """`samples` sentences of each image, the most probable first.

    The draws are a function of (seed, sample, place): an image's sentences do not depend on the batch it is in.
    # Differs: so all images share their random numbers, which makes their sentences, each drawn rightly, dependent.
    """

    samples: int = 5
    top_p: float = 0.9
    temperature: float = 1.0
    seed: int = 0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 < self.top_p <= 1 or self.temperature <= 0 or self.samples < 1:
            raise ValueError(
                f"top_p {self.top_p} must be in (0, 1], temperature {self.temperature} above 0, samples at least 1"
            )

    def __call__(self, step: Step, state: State, *, num_images: int, device: torch.device) -> Generated:
        """Sentences drawn until all have ended; log-probabilities are the model's own, of the whole distribution."""
        shape = (num_images, self.samples)
        state = state.select(torch.zeros(shape, dtype=torch.int64, device=device))
        words = torch.full(shape, START, device=device)
        said = torch.zeros(*shape, 0, dtype=torch.int64, device=device)
        total, over = torch.zeros(shape, device=device), torch.zeros(shape, dtype=torch.bool, device=device)
        for place in range(self.limits.max_words):
            scores, state = step(state, words)
            logs = scores.log_softmax(-1)
            allowed = self.limits.apply(logs.clone(), said)
            stuck = (allowed == NEVER).all(-1) & ~over
            drawn = self._draw(allowed / self.temperature, place)
            total = total + torch.where(over, 0.0, logs.gather(-1, drawn[..., None])[..., 0])
            total = torch.where(stuck, NEVER, total)  # as in beam search: no sentence obeys the limits
            over = over | stuck
            words = torch.where(over, PAD, drawn)
            said = torch.cat([said, words[..., None]], -1)
            over = over | (words == END)
            if over.all():
                break
        return ranked(said, total, total)

    def _draw(self, scores: Tensor, place: int) -> Tensor:
        """(B, K, V) -> (B, K): one word of each nucleus; any where nothing may follow."""
        shares, order = scores.softmax(-1).sort(-1, descending=True)
        sums = shares.cumsum(-1)
        inside = sums - shares < self.top_p  # the first word always is
        sums = (shares * inside).cumsum(-1)
        numbers = uniform("nucleus", self.seed, np.arange(self.samples), place)
        u = torch.from_numpy(numbers).to(sums)[None, :, None] * sums[..., -1:]
        chosen = (sums <= u).sum(-1).clamp(max=sums.shape[-1] - 1)
        return order.gather(-1, torch.minimum(chosen, (inside.sum(-1) - 1).clamp(min=0))[..., None])[..., 0]
