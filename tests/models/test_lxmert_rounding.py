"""A trained model keeps its accuracy when it multiplies in bfloat16 or int8 (on a small planted world)."""

from __future__ import annotations

import pytest
import torch

from chiasm.layers.precision import set_precision
from chiasm.models.lxmert import Lxmert
from tests.explain.planted import sample, trained_model


@pytest.fixture(scope="module")
def model() -> Lxmert:
    return trained_model()


@torch.no_grad()
def accuracy(model: Lxmert) -> float:
    batch, _ = sample(1000, torch.Generator().manual_seed(7))
    right = model(batch).scores["answer"].argmax(1) == batch.targets["answer"]
    return float(right.float().mean())


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_a_trained_model_answers_as_well_when_rounded(model: Lxmert, precision: str) -> None:
    exact = accuracy(model)
    set_precision(model, precision)  # type: ignore[arg-type]
    rounded = accuracy(model)
    set_precision(model, "float32")
    assert exact > 0.95
    assert rounded > exact - 0.01
    assert accuracy(model) == exact
