"""BertAdam by its closed form; AdamW's groups."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from chiasm.training.optimisers import optimiser, optimiser_names
from chiasm.training.optimisers.bert_adam import BertAdam
from chiasm.training.schedule import factor


def steps(count: int, *, gradient: float = 1.0, **options: float) -> list[float]:
    """The values of one parameter that begins at 1 under a constant gradient."""
    parameter = nn.Parameter(torch.ones((), dtype=torch.float64))
    adam = BertAdam([parameter], **{"lr": 0.1, "weight_decay": 0.0, **options})
    values = [1.0]
    for _ in range(count):
        parameter.grad = torch.full((), gradient, dtype=torch.float64)
        adam.step()
        values.append(float(parameter.detach()))
    return values


@pytest.mark.parametrize(("step", "size"), [(1, 3.16), (10, 6.5), (50, 4.5), (100, 3.2), (1000, 1.26)])
def test_bert_adam_has_no_bias_correction(step: int, size: float) -> None:
    values = steps(step)
    taken = (values[-2] - values[-1]) / 0.1
    exact = (1 - 0.9**step) / (math.sqrt(1 - 0.999**step) + 1e-6)
    assert taken == pytest.approx(exact, rel=1e-9)
    assert taken == pytest.approx(size, rel=0.02)


def test_bert_adam_decays_the_weight_it_updates() -> None:
    values = steps(2, gradient=3.0, weight_decay=0.01)
    m, v, p = 0.0, 0.0, 1.0
    for value in values[1:]:
        m, v = 0.9 * m + 0.1 * 3, 0.999 * v + 0.001 * 9
        p -= 0.1 * (m / (math.sqrt(v) + 1e-6) + 0.01 * p)
        assert value == pytest.approx(p, rel=1e-12)


def test_bert_adam_decays_vectors_too_but_not_what_has_no_gradient() -> None:
    bias, idle = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    adam = BertAdam([bias, idle], lr=0.1, weight_decay=0.5)
    bias.grad = torch.zeros(2)
    adam.step()
    assert bias.tolist() == pytest.approx([0.95, 0.95])
    assert idle.tolist() == [1.0, 1.0]


def test_the_first_step_of_the_schedule_changes_nothing() -> None:
    assert factor("linear", 0.1, 0.0) == 0.0
    assert steps(1, lr=0.1 * factor("linear", 0.1, 0.0))[-1] == 1.0


def test_adamw_spares_biases_and_norms() -> None:
    layer = nn.Linear(3, 2)
    built = optimiser("adamw").build(layer.named_parameters(), 0.1, 0.5)
    decays = {id(p): group["weight_decay"] for group in built.param_groups for p in group["params"]}
    assert decays == {id(layer.weight): 0.5, id(layer.bias): 0.0}


@pytest.mark.parametrize("name", optimiser_names())
def test_every_optimiser_goes_down_the_gradient(name: str) -> None:
    parameter = nn.Parameter(torch.ones(2, 2))
    built = optimiser(name).build([("weight", parameter)], 0.01, 0.0)
    parameter.grad = torch.ones(2, 2)
    built.step()
    assert (parameter < 1).all()
