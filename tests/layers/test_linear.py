from __future__ import annotations

import copy

import pytest
import torch

from chiasm.layers import kernels
from chiasm.layers.linear import Linear


@pytest.fixture
def layer() -> Linear:
    torch.manual_seed(0)
    return Linear(24, 40)


X = torch.sin(torch.arange(2 * 5 * 24, dtype=torch.float32)).view(2, 5, 24)


def plain(layer: Linear) -> torch.Tensor:
    return torch.nn.functional.linear(X, layer.weight, layer.bias)


@torch.no_grad()
def test_packed_products_equal_plain_ones(layer: Linear) -> None:
    with kernels.using("onednn"):
        assert layer._kind(X) == "float32"
        torch.testing.assert_close(layer(X), plain(layer), rtol=0, atol=1e-6)
        torch.testing.assert_close(layer.part(X, 8, 24), plain(layer)[..., 8:24], rtol=0, atol=1e-6)
        torch.testing.assert_close(layer.gelu(X), torch.nn.functional.gelu(plain(layer)), rtol=0, atol=1e-6)
    assert len(layer._packed) == 2


@torch.no_grad()
def test_a_changed_weight_is_packed_again(layer: Linear) -> None:
    with kernels.using("onednn"):
        before = layer(X)
        layer.weight.mul_(2)
        layer.bias.mul_(2)
        torch.testing.assert_close(layer(X), 2 * before, rtol=0, atol=1e-6)
        layer.load_state_dict({"weight": torch.zeros(40, 24), "bias": torch.ones(40)})
        assert torch.equal(layer(X), torch.ones(2, 5, 40))


@pytest.mark.parametrize("fused", [True, False])  # a fused step changes the weights without raising their version
def test_a_weight_that_was_trained_is_packed_again(layer: Linear, fused: bool) -> None:
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=fused)
    with kernels.using("onednn"):
        with torch.no_grad():
            layer(X)
        layer(X).square().sum().backward()
        optimiser.step()
        with torch.no_grad():
            torch.testing.assert_close(layer(X), plain(layer), rtol=0, atol=1e-6)


def test_training_and_the_default_kernel_pack_nothing(layer: Linear) -> None:
    with kernels.using("onednn"):
        layer(X).sum().backward()
    with kernels.using("default"), torch.no_grad():
        layer(X)
    assert layer._packed == {}
    assert layer.weight.grad is not None


@torch.no_grad()
def test_packed_weights_are_neither_saved_nor_copied(layer: Linear) -> None:
    with kernels.using("onednn"):
        layer(X)
    assert set(layer.state_dict()) == {"weight", "bias"}
    assert copy.deepcopy(layer)._packed == {}
