"""Recurrent cells give torch's numbers, in any leading shape."""

from __future__ import annotations

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
