"""The shrinking perceptron: the sheet's sizes, order of layers, and the batch that cannot be normalised."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from chiasm.layers.batch_norm import BatchNorm
from chiasm.layers.mlp import Mlp, shrinking_sizes


@pytest.mark.parametrize(
    ("input_size", "output_size", "expected"),
    [
        (768, 2, [192, 48, 12, 3]),
        (770, 1, [192, 48, 12, 3]),
        (1030, 5, [257, 64, 16]),
        (100, 15, [25]),
        (10, 2, []),
        (17, 2, [4]),
        (3, 5, []),
    ],
)
def test_hidden_sizes_follow_the_division_rule(input_size: int, output_size: int, expected: list[int]) -> None:
    assert shrinking_sizes(input_size, output_size, division=4) == expected


def test_a_division_that_does_not_shrink_is_refused() -> None:
    with pytest.raises(ValueError, match="division is 1"):
        shrinking_sizes(8, 2, division=1)


def test_each_hidden_layer_is_linear_norm_relu_dropout() -> None:
    kinds = [type(layer) for layer in Mlp(8, [4, 2], 1).hidden]
    assert kinds == [nn.Linear, BatchNorm, nn.ReLU, nn.Dropout] * 2


def test_weights_are_xavier_uniform_with_the_gain_of_what_follows() -> None:
    torch.manual_seed(0)
    mlp = Mlp(300, [200], 100)
    bound = (6 / 500) ** 0.5
    assert mlp.hidden[0].weight.abs().max().item() == pytest.approx(bound * 2**0.5, rel=1e-3)
    assert mlp.output.weight.abs().max().item() == pytest.approx((6 / 300) ** 0.5, rel=1e-3)


def test_a_training_batch_of_one_row_is_normed_by_the_running_statistics() -> None:
    torch.manual_seed(0)
    mlp = Mlp(8, [4], 2, dropout=0.0)
    mlp(3 + torch.randn(64, 8))
    row = torch.randn(1, 8)
    held = {name: tensor.clone() for name, tensor in mlp.state_dict().items()}
    trained = mlp(row)
    torch.testing.assert_close(trained, mlp.eval()(row))
    assert all(torch.equal(held[name], tensor) for name, tensor in mlp.state_dict().items())
