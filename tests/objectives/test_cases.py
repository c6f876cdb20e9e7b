"""Losses of single cases equal their formulas."""

from __future__ import annotations

import math

import torch

from chiasm.objectives.cases import class_of_case, smooth_difference, squared_difference


def test_the_class_loss_is_minus_the_log_of_its_probability() -> None:
    scores = torch.tensor([[1.0, 2.0, 4.0], [0.5, -3.0, 0.0]])
    found = class_of_case(scores, torch.tensor([2, 0]))
    chosen = zip(scores.tolist(), (2, 0), strict=True)
    expected = [-math.log(math.exp(row[k]) / sum(map(math.exp, row))) for row, k in chosen]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_differences_are_means_over_each_cases_numbers() -> None:
    scores, targets = torch.tensor([[0.0, 3.0], [1.0, 1.0]]), torch.tensor([[0.5, 1.0], [1.0, -3.0]])
    torch.testing.assert_close(smooth_difference(scores, targets), torch.tensor([(0.125 + 1.5) / 2, 3.5 / 2]))
    torch.testing.assert_close(squared_difference(scores, targets), torch.tensor([(0.25 + 4) / 2, 16 / 2]))


def test_no_case_gives_no_loss() -> None:
    assert class_of_case(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)).shape == (0,)
    assert smooth_difference(torch.zeros(0, 3), torch.zeros(0, 3)).shape == (0,)
