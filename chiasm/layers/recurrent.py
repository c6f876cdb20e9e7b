"""Recurrent networks over slots of which only some are real: silent slots cost no step and change no state."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class SkippingGRU(nn.Module):
    """A GRU in both directions that steps at real slots only; between them its state is carried over unchanged.

    The real slots of a row are moved together, run and moved back, which is the same as a loop over all slots that
    keeps the old state at the others. Where padding stands, or how much, makes no difference.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, U, F), (B, U) -> (B, U, 2D): the forward and backward states at real slots, zero at the others."""
        return run_recurrent(self.gru, x, mask)


class SkippingLSTM(nn.Module):
    """An LSTM in both directions that steps at real slots only."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, U, F), (B, U) -> (B, U, 2D): the forward and backward states at real slots, zero at the others."""
        return run_recurrent(self.lstm, x, mask)


def run_recurrent(network: nn.GRU | nn.LSTM, x: Tensor, mask: Tensor) -> Tensor:
    """(B, U, F), (B, U) -> (B, U, D'): what the one-layer network gives at the real slots, in order; else zero.

    On a CPU, where three quarters of the slots are real, it runs over the others too and nobody reads what it says
    there: a packed sequence costs more, since in its backward pass the gradient of every step is as large as the whole.
    """
    if x.shape[1] == 0:
        raise ValueError("a recurrent network needs at least one slot")
    order = torch.argsort((~mask).int(), dim=1, stable=True)  # real slots first, in their order
    together = x.gather(1, order[..., None].expand_as(x))
    lengths = mask.sum(1).clamp(min=1)  # a row without a real slot runs one step that nobody reads
    if x.device.type == "cpu" and 4 * int(lengths.sum()) >= 3 * mask.numel():
        states = _whole(network, together, lengths)
    else:
        packed = pack_padded_sequence(together, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(network(packed)[0], batch_first=True, total_length=x.shape[1])
    places = torch.argsort(order, dim=1)
    return states.gather(1, places[..., None].expand_as(states)) * mask[..., None]


def _whole(network: nn.GRU | nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor:
    """(B, U, F), (B,) -> (B, U, D'): right at the first `lengths` slots. Backwards, each row is turned round first."""
    if not network.bidirectional:
        states: Tensor = network(x)[0]
        return states
    slots = torch.arange(x.shape[1], device=x.device)
    turn = torch.where(slots < lengths[:, None], lengths[:, None] - 1 - slots, slots)[..., None]
    forwards = _one_way(network, x, "")
    backwards = _one_way(network, x.gather(1, turn.expand_as(x)), "_reverse")
    return torch.cat([forwards, backwards.gather(1, turn.expand_as(backwards))], -1)


def _one_way(network: nn.GRU | nn.LSTM, x: Tensor, direction: str) -> Tensor:
    """(B, U, F) -> (B, U, D): one direction's weights alone, from left to right."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    weights = [getattr(network, name + direction) for name in names]
    start = x.new_zeros(1, len(x), network.hidden_size)
    rest = (True, 1, 0.0, network.training, False, True)  # biases, layers, dropout, training, both ways, batch first
    states: Tensor
    if isinstance(network, nn.LSTM):
        states = torch.lstm(x, [start, start], weights, *rest)[0]
    else:
        states = torch.gru(x, start, weights, *rest)[0]
    return states
