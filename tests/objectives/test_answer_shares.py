"""Cross-entropy towards the shares of several answers."""

from __future__ import annotations

import math

import pytest
import torch

from chiasm.objectives.answers import answer_shares, one_answer

SCORES = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0], [9.0, 0.0, 0.0], [9.0, 0.0, 0.0]])


def test_with_one_answer_it_is_the_ordinary_cross_entropy() -> None:
    targets = torch.tensor([[0.0, 0.9, 0.0], [1.0, 0.0, 0.0]])
    expected = one_answer(SCORES[:2], torch.tensor([1, 0]))
    torch.testing.assert_close(answer_shares(SCORES[:2], targets), expected)


def test_shares_are_of_the_sum_of_scores() -> None:
    targets = torch.tensor([[0.3, 0.9, 0.0]])
    shares = -(0.25 * SCORES[:1].log_softmax(1)[0, 0] + 0.75 * SCORES[:1].log_softmax(1)[0, 1])
    assert float(answer_shares(SCORES[:1], targets)) == pytest.approx(float(shares))


def test_examples_without_a_label_or_a_known_answer_are_left_out() -> None:
    targets = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -1.0, -1.0]])
    torch.testing.assert_close(answer_shares(SCORES, targets), answer_shares(SCORES[:2], targets[:2]))
    nothing = answer_shares(SCORES[2:], targets[2:])
    assert float(nothing) == 0
    assert math.isfinite(float(nothing))


def test_it_is_least_when_probabilities_are_the_shares() -> None:
    targets = torch.tensor([[0.3, 0.9, 0.0]])
    scores = torch.tensor([[0.25, 0.75, 1e-9]]).log().requires_grad_()
    answer_shares(scores, targets).backward()
    assert scores.grad is not None
    assert scores.grad.abs().max() < 1e-6
