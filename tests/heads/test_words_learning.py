"""Every kind of last layer learns which word follows which, of words by Zipf's law (sheet `fixed_targets`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from chiasm.heads.words import WordOptions, word_targets
from chiasm.objectives.words import next_word

WORDS, SIZE = 50, 32
KINDS = {
    "trained": WordOptions(num_words=WORDS),
    "tied": WordOptions(num_words=WORDS, targets="tied"),
    "fixed": WordOptions(num_words=WORDS, targets="fixed"),
    "fixed, normalised": WordOptions(num_words=WORDS, targets="fixed", target_normalised=True, fix_bias=True),
    "fixed, sparse": WordOptions(num_words=WORDS, targets="fixed", target_normalised=True, target_draw="sparse"),
    "fixed, Hadamard": WordOptions(num_words=WORDS, targets="fixed", target_normalised=True, target_draw="hadamard"),
}


class Bigrams(nn.Module):
    """A word -> features -> scores of the next word."""

    def __init__(self, options: WordOptions) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, SIZE)
        self.inner = nn.Sequential(nn.Linear(SIZE, 64), nn.Tanh(), nn.Linear(64, SIZE))
        self.targets = word_targets(options, SIZE, self.words)

    def forward(self, words: Tensor) -> Tensor:
        """(B,) -> (B, V)."""
        scores: Tensor = self.targets(self.inner(self.words(words)))
        return scores


def learnt(options: WordOptions) -> tuple[Bigrams, Tensor, Tensor]:
    """A trained model, the words of the corpus and the words that follow them."""
    torch.manual_seed(0)
    model = Bigrams(options)
    shares = 1 / torch.arange(1, WORDS + 1)
    follows = torch.randperm(WORDS)
    words = torch.multinomial(shares, 20_000, replacement=True)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for part in words.split(256)[:78] * 5:
        optimiser.zero_grad()
        next_word(model(part), follows[part]).backward()
        optimiser.step()
    return model, words, follows


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_and_what_is_fixed_stays(kind: str) -> None:
    before = word_targets(KINDS[kind], SIZE, nn.Embedding(WORDS, SIZE))
    model, words, follows = learnt(KINDS[kind])
    right = (model(words).argmax(1) == follows[words]).float().mean()
    assert float(right) > 0.99
    if KINDS[kind].targets == "fixed":
        assert torch.equal(model.targets.weight, before.weight)  # type: ignore[arg-type]


def test_fixing_saves_the_matrix_and_with_the_bias_one_row_more() -> None:
    def count(options: WordOptions) -> int:
        return sum(p.numel() for p in Bigrams(options).parameters())

    trained = count(KINDS["trained"])
    assert trained - count(KINDS["fixed"]) == WORDS * SIZE
    assert trained - count(replace(KINDS["fixed"], fix_bias=True)) == WORDS * (SIZE + 1)


def test_drawn_norms_do_not_tell_how_frequent_a_word_is() -> None:
    fixed = word_targets(WordOptions(num_words=2000, targets="fixed"), SIZE, nn.Embedding(2000, SIZE))
    norms = fixed.weight.norm(dim=1)  # type: ignore[operator, union-attr]
    rho = spearmanr(norms.numpy(), 1 / np.arange(1, 2001)).statistic
    assert abs(rho) < 0.3
