"""Losses of words: the sheet's numbers for soft targets and label smoothing."""

from __future__ import annotations

import math

import pytest
import torch

from chiasm.objectives.words import next_word, spread_words

# pad, eos, a, dog, cat, runs, sleeps, the
LOGITS = torch.tensor([[0.0, 0.1, 0.5, 1.0, 0.2, -0.3, 0.4, 0.05]])
A, THE = 2, 7


def test_soft_target_is_the_sheets() -> None:
    loss = spread_words(LOGITS, torch.tensor([[A, THE]]), torch.tensor([[0.94, 0.06]]))
    assert float(loss) == pytest.approx(1.922847, abs=1e-6)
    entropy = -(0.94 * math.log(0.94) + 0.06 * math.log(0.06))
    assert float(loss) - entropy == pytest.approx(1.695879, abs=1e-6)  # what the sheet prints as KL
    assert float(next_word(LOGITS, torch.tensor([A]))) == pytest.approx(1.895847, abs=1e-6)


def test_label_smoothing_is_the_sheets_in_both_forms() -> None:
    word = torch.tensor([[A]])
    all_words = spread_words(LOGITS, word, torch.tensor([[0.8]]), torch.tensor([0.2]))
    assert float(all_words) == pytest.approx(1.947097, abs=1e-6)
    others = spread_words(LOGITS, word, torch.tensor([[0.8 - 0.2 / 7]]), torch.tensor([0.2 * 8 / 7]))
    assert float(others) == pytest.approx(1.954418, abs=1e-6)


def test_all_mass_on_the_word_is_the_hard_loss() -> None:
    words = torch.tensor([[A, -1]])
    soft = spread_words(LOGITS, words, torch.tensor([[1.0, 0.0]]))
    assert float(soft) == pytest.approx(float(next_word(LOGITS, words[:, 0])), abs=1e-7)


def test_the_gradient_is_the_distance_of_the_distributions() -> None:
    logits = LOGITS.clone().requires_grad_()
    spread_words(logits, torch.tensor([[A, THE]]), torch.tensor([[0.94, 0.06]])).backward()
    wanted = LOGITS.softmax(1)
    wanted[0, A] -= 0.94
    wanted[0, THE] -= 0.06
    torch.testing.assert_close(logits.grad, wanted)
