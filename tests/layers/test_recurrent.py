"""Recurrent networks over slots of which only some are real: a loop that skips the others gives the same."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from chiasm.layers import recurrent
from chiasm.layers.recurrent import SkippingGRU, SkippingLSTM, run_recurrent

ROWS, SLOTS, FEATURES, SIZE = 5, 9, 4, 3
DENSE, SPARSE = 0.95, 0.3


def slots(share: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(ROWS, SLOTS, FEATURES, generator=generator)
    mask = torch.rand(ROWS, SLOTS, generator=generator) < share
    mask[0] = False  # a row without a real slot
    return x, mask


def by_loop(cell: nn.GRUCell | nn.LSTMCell, x: Tensor, mask: Tensor, order: range) -> Tensor:
    """Slot after slot of each row, by torch's own cell; at silent slots nothing happens and zero is said."""
    said = torch.zeros(ROWS, SLOTS, SIZE)
    for row in range(ROWS):
        hidden, memory = torch.zeros(1, SIZE), torch.zeros(1, SIZE)
        for slot in order:
            if mask[row, slot]:
                if isinstance(cell, nn.LSTMCell):
                    hidden, memory = cell(x[row, slot][None], (hidden, memory))
                else:
                    hidden = cell(x[row, slot][None], hidden)
                said[row, slot] = hidden[0]
    return said


def cell_of(network: nn.GRU | nn.LSTM, direction: str) -> nn.GRUCell | nn.LSTMCell:
    """A cell with one direction's weights."""
    cell = (nn.LSTMCell if isinstance(network, nn.LSTM) else nn.GRUCell)(FEATURES, SIZE)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    cell.load_state_dict({name: getattr(network, f"{name}_l0{direction}").detach() for name in names})
    return cell


@pytest.mark.parametrize("share", [DENSE, SPARSE])
@pytest.mark.parametrize("kind", [SkippingGRU, SkippingLSTM])
def test_it_is_a_loop_over_the_real_slots_in_both_directions(
    kind: type[SkippingGRU] | type[SkippingLSTM], share: float
) -> None:
    torch.manual_seed(0)
    model = kind(FEATURES, SIZE)
    network = model.gru if isinstance(model, SkippingGRU) else model.lstm
    x, mask = slots(share)
    forwards = by_loop(cell_of(network, ""), x, mask, range(SLOTS))
    backwards = by_loop(cell_of(network, "_reverse"), x, mask, range(SLOTS - 1, -1, -1))
    torch.testing.assert_close(model(x, mask), torch.cat([forwards, backwards], -1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("network", [nn.GRU, nn.LSTM])
def test_in_one_direction(network: type[nn.GRU] | type[nn.LSTM]) -> None:
    torch.manual_seed(0)
    made = network(FEATURES, SIZE, batch_first=True)
    for share in (DENSE, SPARSE):
        x, mask = slots(share)
        wanted = by_loop(cell_of(made, ""), x, mask, range(SLOTS))
        torch.testing.assert_close(run_recurrent(made, x, mask), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [SkippingGRU, SkippingLSTM])
def test_packed_and_whole_have_the_same_gradients(kind: type[SkippingGRU] | type[SkippingLSTM]) -> None:
    torch.manual_seed(0)
    model = kind(FEATURES, SIZE)
    found = []
    for packed in (False, True):
        x, mask = slots(DENSE)
        x.requires_grad_()
        model.zero_grad()
        with mock.patch.object(recurrent, "_whole", wraps=recurrent._whole) as whole:
            # The same rows beside others that are nearly all silent, so that the whole batch is packed.
            rows = torch.cat([x, torch.zeros(4 * ROWS if packed else 0, SLOTS, FEATURES)])
            real = torch.cat([mask, torch.zeros(len(rows) - ROWS, SLOTS, dtype=torch.bool)])
            model(rows, real).square().sum().backward()
        assert whole.called is not packed
        assert x.grad is not None
        found.append([x.grad, *(p.grad for p in model.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_a_silent_slot_has_no_say() -> None:
    torch.manual_seed(0)
    model = SkippingGRU(FEATURES, SIZE)
    x, mask = slots(DENSE)
    other = torch.where(mask[..., None], x, 100.0)
    assert torch.equal(model(x, mask), model(other, mask))


def test_no_slot_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one slot"):
        SkippingGRU(FEATURES, SIZE)(torch.zeros(2, 0, FEATURES), torch.zeros(2, 0, dtype=torch.bool))
