"""Recurrent networks over slots of which only some are real: silent slots cost no step and change no state."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class SkippingGRU(nn.Module):
    """A GRU in both directions that steps at real slots only; between them its state is carried over unchanged.

    The real slots of a row are moved together, run as a packed sequence and moved back, which is the same as a loop
    over all slots that keeps the old state at the others. Where padding stands, or how much, makes no difference.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, U, F), (B, U) -> (B, U, 2D): the forward and backward states at real slots, zero at the others."""
        return run_packed(self.gru, x, mask)


class SkippingLSTM(nn.Module):
    """An LSTM in both directions that steps at real slots only."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, U, F), (B, U) -> (B, U, 2D): the forward and backward states at real slots, zero at the others."""
        return run_packed(self.lstm, x, mask)


def run_packed(network: nn.GRU | nn.LSTM, x: Tensor, mask: Tensor) -> Tensor:
    """(B, U, F), (B, U) -> (B, U, D'): what the recurrent network gives at the real slots, in order; else zero."""
    if x.shape[1] == 0:
        raise ValueError("a recurrent network needs at least one slot")
    order = torch.argsort((~mask).int(), dim=1, stable=True)  # real slots first, in their order
    together = x.gather(1, order[..., None].expand_as(x))
    lengths = mask.sum(1).clamp(min=1).cpu()  # a row without a real slot runs one step that nobody reads
    packed = pack_padded_sequence(together, lengths, batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(network(packed)[0], batch_first=True, total_length=x.shape[1])
    places = torch.argsort(order, dim=1)
    return states.gather(1, places[..., None].expand_as(states)) * mask[..., None]
