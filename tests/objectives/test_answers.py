"""Losses of answers equal their formulas, spelled out in plain Python."""

from __future__ import annotations

import math

import pytest
import torch

from chiasm.objectives import Objective
from chiasm.objectives.answers import IGNORE, number, one_answer, several_labels, soft_answers, yes_or_no

SCORES = [[0.5, -1.0, 2.0], [3.0, 0.0, -0.5]]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def binary_cross_entropy(score: float, target: float) -> float:
    return -target * math.log(sigmoid(score)) - (1 - target) * math.log(1 - sigmoid(score))


def test_soft_answers_sum_over_answers_and_average_over_examples() -> None:
    targets = [[0.3, 0.0, 1.0], [0.0, 0.9, 0.0]]
    entries = [binary_cross_entropy(SCORES[b][a], targets[b][a]) for b in range(2) for a in range(3)]
    loss = soft_answers(torch.tensor(SCORES), torch.tensor(targets))
    assert loss.item() == pytest.approx(sum(entries) / 2, rel=1e-6)


def test_soft_answers_are_the_mean_of_all_entries_times_the_number_of_answers() -> None:
    scores, targets = torch.tensor(SCORES), torch.tensor([[0.3, 0.0, 1.0], [0.0, 0.9, 0.0]])
    released = torch.nn.BCEWithLogitsLoss()(scores, targets) * 3
    assert soft_answers(scores, targets).item() == pytest.approx(released.item())


@pytest.mark.parametrize("loss", [soft_answers, several_labels])
def test_rows_without_a_label_are_left_out_of_the_mean(loss: Objective) -> None:
    targets = torch.tensor([[1.0, 0.0, 1.0], [IGNORE] * 3])
    alone = loss(torch.tensor(SCORES[:1]), targets[:1])
    assert loss(torch.tensor(SCORES), targets).item() == pytest.approx(alone.item())
    assert loss(torch.tensor(SCORES), torch.full((2, 3), float(IGNORE))).item() == 0


def test_yes_or_no_is_the_binary_cross_entropy_of_the_labelled_examples() -> None:
    scores = torch.tensor([[0.5], [-1.0], [2.0]], requires_grad=True)
    loss = yes_or_no(scores, torch.tensor([1, 0, IGNORE]))
    loss.backward()
    assert loss.item() == pytest.approx((binary_cross_entropy(0.5, 1) + binary_cross_entropy(-1.0, 0)) / 2)
    assert scores.grad is not None
    assert scores.grad[2].item() == 0


def test_yes_or_no_equals_two_way_cross_entropy_with_a_score_of_zero_for_no() -> None:
    scores, targets = torch.tensor([[0.5], [-1.0]]), torch.tensor([1, 0])
    two = one_answer(torch.nn.functional.pad(scores, (1, 0)), targets)
    assert yes_or_no(scores, targets).item() == pytest.approx(two.item())


def test_one_answer_is_minus_the_log_of_its_probability() -> None:
    loss = one_answer(torch.tensor(SCORES), torch.tensor([2, 0]))
    logs = [math.log(math.exp(row[t]) / sum(map(math.exp, row))) for row, t in zip(SCORES, (2, 0), strict=True)]
    assert loss.item() == pytest.approx(-sum(logs) / 2, rel=1e-6)


def test_one_answer_leaves_unlabelled_examples_out_of_the_mean() -> None:
    labelled = one_answer(torch.tensor(SCORES[:1]), torch.tensor([2]))
    both = one_answer(torch.tensor(SCORES), torch.tensor([2, IGNORE]))
    assert both.item() == pytest.approx(labelled.item())


def test_one_answer_of_a_batch_without_labels_is_zero_and_has_a_gradient() -> None:
    scores = torch.tensor(SCORES, requires_grad=True)
    loss = one_answer(scores, torch.tensor([IGNORE, IGNORE]))
    loss.backward()
    assert loss.item() == 0
    assert scores.grad is not None
    assert not scores.grad.any()


def test_several_labels_average_over_all_entries() -> None:
    targets = [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    entries = [binary_cross_entropy(SCORES[b][a], targets[b][a]) for b in range(2) for a in range(3)]
    assert several_labels(torch.tensor(SCORES), torch.tensor(targets)).item() == pytest.approx(sum(entries) / 6)


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_number_is_the_squared_error_of_the_known_targets(shape: tuple[int, ...]) -> None:
    scores = torch.tensor([1.0, 2.0, 5.0]).reshape(shape).requires_grad_()
    loss = number(scores, torch.tensor([0.5, math.nan, 3.0]))
    loss.backward()
    assert loss.item() == pytest.approx((0.25 + 4) / 2)
    assert scores.grad is not None
    assert scores.grad.reshape(-1).tolist() == pytest.approx([0.5, 0.0, 2.0])


def test_number_without_any_target_is_zero() -> None:
    assert number(torch.ones(2), torch.full((2,), math.nan)).item() == 0
