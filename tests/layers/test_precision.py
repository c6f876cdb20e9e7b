"""Rounded products: how far from the exact ones, taken back at will, and never in training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from chiasm.layers import int8
from chiasm.layers.attention import Attention
from chiasm.layers.linear import Linear
from chiasm.layers.precision import set_precision
from chiasm.layers.transformer import TransformerLayer

X = torch.sin(torch.arange(3 * 5 * 24, dtype=torch.float32) * 0.7).view(3, 5, 24)


@pytest.fixture
def layer() -> Linear:
    torch.manual_seed(0)
    return Linear(24, 40)


def exact(layer: Linear, x: torch.Tensor = X) -> torch.Tensor:
    return nn.functional.linear(x.double(), layer.weight.double(), layer.bias.double()).float()


@torch.no_grad()
def test_int8_products_are_those_of_the_formula(layer: Linear) -> None:
    packed = int8.pack(layer.weight)
    a = X.abs().amax(-1, keepdim=True) / 127
    b = layer.weight.abs().amax(1) / 127
    rounded = ((X / a).round() @ (layer.weight / b[:, None]).round().T) * a * b + layer.bias
    torch.testing.assert_close(int8.linear(X, packed, layer.bias, "none"), rounded, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("precision", "error"), [("bfloat16", 0.02), ("int8", 0.02)])
@torch.no_grad()
def test_rounded_products_are_near_the_exact_ones(layer: Linear, precision: str, error: float) -> None:
    before = layer(X)
    set_precision(layer, precision)  # type: ignore[arg-type]
    found = layer(X)
    assert found.dtype == torch.float32
    assert 1e-5 < float((found - exact(layer)).abs().max()) < error
    torch.testing.assert_close(layer.gelu(X), nn.functional.gelu(exact(layer)), rtol=0, atol=error)
    torch.testing.assert_close(layer.part(X, 8, 24), exact(layer)[..., 8:24], rtol=0, atol=error)
    set_precision(layer, "float32")
    assert torch.equal(layer(X), before)


@torch.no_grad()
def test_a_large_state_does_not_coarsen_the_other_positions(layer: Linear) -> None:
    set_precision(layer, "int8")
    large = X.clone()
    large[0, 0] = 1e4
    assert torch.equal(layer(large)[1:], layer(X)[1:])


@torch.no_grad()
def test_a_position_of_zeros_gives_the_bias(layer: Linear) -> None:
    set_precision(layer, "int8")
    torch.testing.assert_close(layer(torch.zeros(2, 24)), layer.bias.expand(2, 40), rtol=0, atol=0)


def test_gradients_are_never_rounded(layer: Linear) -> None:
    plain = layer(X)
    set_precision(layer, "int8")
    assert torch.equal(layer(X), plain)
    assert layer._packed == {}


@torch.no_grad()
def test_a_changed_weight_is_rounded_again(layer: Linear) -> None:
    set_precision(layer, "int8")
    before = layer(X)
    layer.weight.mul_(2)
    layer.bias.mul_(2)
    torch.testing.assert_close(layer(X), 2 * before, rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@torch.no_grad()
def test_a_whole_layer_stays_near(precision: str) -> None:
    torch.manual_seed(0)
    whole = TransformerLayer(24, 4, 48).eval()
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]]).bool()
    before = whole(X, mask)
    set_precision(whole, precision)  # type: ignore[arg-type]
    after = whole(X, mask)
    assert after.dtype == torch.float32
    assert 1e-5 < float((after - before).abs().max()) < 0.1


@torch.no_grad()
def test_between_the_products_of_attention_lies_bfloat16() -> None:
    attention = Attention(24, 4).eval()
    set_precision(attention, "bfloat16")
    assert {part.dtype for part in attention.project(X)} == {torch.bfloat16}


def test_what_cannot_be_rounded_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown precision 'int4'"):
        set_precision(Linear(2, 2), "int4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Sequential has no layer that multiplies in int8"):
        set_precision(nn.Sequential(nn.Linear(2, 2)), "int8")
    with pytest.raises(ValueError, match="for a CPU, the model is on meta"):
        set_precision(Linear(2, 2).to("meta"), "bfloat16")


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@torch.no_grad()
def test_a_layer_without_bias_has_none_in_any_precision(precision: str) -> None:
    layer = Linear(24, 40, bias=False)
    wanted = (X.double() @ layer.weight.double().T).float()
    set_precision(layer, precision)  # type: ignore[arg-type]
    torch.testing.assert_close(layer(X), wanted, rtol=0, atol=0.02)
