"""Recurrent cells give torch's numbers, in any leading shape."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from chiasm.layers import kernels
from chiasm.layers.additive import AdditiveAttention
from chiasm.layers.cells import GRUCell, LSTMCell

X, H, C = torch.randn(3, 2, 7), torch.randn(3, 2, 5), torch.randn(3, 2, 5)


def copy(mine: nn.Module, theirs: nn.Module) -> None:
    with torch.no_grad():
        for name, place in (("ih", "input"), ("hh", "hidden")):
            getattr(theirs, f"weight_{name}").copy_(getattr(mine, place).weight)
            getattr(theirs, f"bias_{name}").copy_(getattr(mine, place).bias)


def test_the_lstm_cell_is_torchs() -> None:
    mine, theirs = LSTMCell(7, 5), nn.LSTMCell(7, 5)
    copy(mine, theirs)
    hidden, memory = mine(X, H, C)
    wanted = theirs(X.flatten(0, 1), (H.flatten(0, 1), C.flatten(0, 1)))
    torch.testing.assert_close(hidden.flatten(0, 1), wanted[0])
    torch.testing.assert_close(memory.flatten(0, 1), wanted[1])


@pytest.mark.parametrize("kernel", ["default", "onednn"])
def test_inputs_known_before_the_step_add_what_one_long_input_would(kernel: kernels.Kernel) -> None:
    mine, theirs = LSTMCell(2, 5, earlier=(4, 1)), nn.LSTMCell(7, 5)
    with torch.no_grad():
        theirs.weight_ih.copy_(torch.cat([mine.input.weight, *(layer.weight for layer in mine.earlier)], 1))
        theirs.bias_ih.copy_(mine.input.bias)
        theirs.weight_hh.copy_(mine.hidden.weight)
        theirs.bias_hh.copy_(mine.hidden.bias)
    wanted = theirs(X.flatten(0, 1), (H.flatten(0, 1), C.flatten(0, 1)))
    now, picture, word = X.split([2, 4, 1], -1)
    with kernels.using(kernel), torch.inference_mode():
        hidden, memory = mine(now, H, C, mine.before(0, picture), mine.before(1, word))
    torch.testing.assert_close(hidden.flatten(0, 1), wanted[0])
    torch.testing.assert_close(memory.flatten(0, 1), wanted[1])
    assert sum(p.numel() for p in mine.parameters()) == sum(p.numel() for p in theirs.parameters())


def test_the_gru_cell_is_torchs_with_either_kernel() -> None:
    mine, theirs = GRUCell(7, 5), nn.GRUCell(7, 5)
    copy(mine, theirs)
    wanted = theirs(X.flatten(0, 1), H.flatten(0, 1)).view_as(H)
    torch.testing.assert_close(mine(X, H), wanted)
    with kernels.using("onednn"), torch.inference_mode():
        torch.testing.assert_close(mine(X, H), wanted)


def test_additive_attention_sees_real_keys_only_and_sums_to_one() -> None:
    attention = AdditiveAttention(6, 5, 4)
    keys, mask = torch.randn(3, 8, 6), torch.arange(8) < torch.tensor([8, 3, 1])[:, None]
    weights, context = attention(H, attention.prepare(keys), keys, mask)
    assert not (weights * ~mask[:, None]).any()
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2))
    torch.testing.assert_close(context[2], keys[2, :1].expand(2, -1))
    assert not torch.allclose(weights[0, 0], weights[0, 1])
