"""Speakers who react to each other, and a memory of the dialogue that the current utterance reads (COIN)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from chiasm.layers.dropout import Dropout
from chiasm.layers.masking import masked_softmax
from chiasm.layers.recording import Tap
from chiasm.layers.recurrent import SkippingGRU


class SpeakerStates(nn.Module):
    """A recurrent state for each speaker: GRU_A for the speaker asked about (speaker 0), GRU_B for everybody else.

    Every further speaker has a state of his own and the parameters of GRU_B, so any number of parties can speak and
    it does not matter who is called what. A speaker's state changes only when he speaks.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.own = SkippingGRU(input_size, hidden_size)
        self.other = SkippingGRU(input_size, hidden_size)

    def forward(self, x: Tensor, speakers: Tensor, mask: Tensor) -> Tensor:
        """(B, U, F), (B, U), (B, U) -> (B, U, 2D): the state of each slot's speaker after (before, in the backward
        direction) that slot; zero where nobody speaks."""
        own = self.own(x, mask & (speakers == 0))
        rows, parties = _others(speakers, mask)
        if not len(rows):
            return own
        spoken = mask[rows] & (speakers[rows] == parties[:, None])
        return own.index_add(0, rows, self.other(x[rows], spoken))


class MutualInteraction(nn.Module):
    """Equation 1: each state is gated by the last state of the other speaker.

        m_i = h_i * sigmoid(h' W + b),   h' the other speaker's state at slot i - 1 (i + 1 in the backward direction)

    W and b belong to the role of the speaker who gates: W_A for the one asked about, W_B for the others. With more
    than two parties "the other" is whoever else spoke last; with two that is the paper's rule. Before anybody else
    has spoken h' is zero. The gated m is an output only, it does not enter the recurrent states.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.forward_gates = _RoleGates(hidden_size)
        self.backward_gates = _RoleGates(hidden_size)
        self.forward_tap, self.backward_tap = Tap(), Tap()

    def forward(self, states: Tensor, speakers: Tensor, mask: Tensor) -> Tensor:
        """(B, U, 2D), (B, U), (B, U) -> (B, U, 2D)."""
        forward, backward = states.chunk(2, -1)
        before, after = neighbours(speakers, mask)
        gated = [
            forward * self.forward_tap(self.forward_gates(forward, speakers, before)),
            backward * self.backward_tap(self.backward_gates(backward, speakers, after)),
        ]
        return torch.cat(gated, -1)


class _RoleGates(nn.Module):
    """sigmoid(h' W + b) with the parameters of the role that h' has."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.own = nn.Linear(hidden_size, hidden_size)
        self.other = nn.Linear(hidden_size, hidden_size)

    def forward(self, states: Tensor, speakers: Tensor, place: Tensor) -> Tensor:
        """(B, U, D), (B, U), (B, U) slot of h', -1 for none -> (B, U, D)."""
        known = (place >= 0)[..., None]
        slot = place.clamp(min=0)
        neighbour = states.gather(1, slot[..., None].expand_as(states)) * known
        # Whose turn the neighbour's was; where there is none, the role that the slot's own speaker is not.
        is_own = torch.where(place >= 0, speakers.gather(1, slot) == 0, speakers != 0)
        return torch.where(is_own[..., None], self.own(neighbour), self.other(neighbour)).sigmoid()


class ContextualInteraction(nn.Module):
    """One of the L stacks (equations 2 to 5): a bi-GRU, self-attention over the dialogue, and a read by the query.

        G = biGRU(M)      M_att = softmax(G W_Q (G W_K)^T / sqrt(d)) G W_V
        c = M_att^T softmax(M_att u)      u' = tanh(u + c)

    # Differs: one sentence of the paper feeds the bi-GRU's output G to the next stack, another (and we) M_att;
    `feeds_attended` = False takes G. The printed scale is sqrt(d) although the keys are 2d wide; `scale` sets it.
    """

    def __init__(
        self, hidden_size: int, *, dropout: float, feeds_attended: bool = True, scale: float | None = None
    ) -> None:
        super().__init__()
        self.recurrent = SkippingGRU(2 * hidden_size, hidden_size)
        self.query, self.key, self.value = (nn.Linear(2 * hidden_size, 2 * hidden_size, bias=False) for _ in range(3))
        self.scale = math.sqrt(hidden_size) if scale is None else scale
        self.feeds_attended = feeds_attended
        self.states_dropout, self.attention_dropout = Dropout(dropout), Dropout(dropout)
        self.attention_tap, self.read_tap = Tap(), Tap()

    def forward(self, memory: Tensor, u: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, U, 2D), (B, 2D), (B, U) -> the next memory (B, U, 2D) and the next u (B, 2D)."""
        states = self.states_dropout(self.recurrent(memory, mask))
        attended = self.attend(states, mask)
        return attended if self.feeds_attended else states, self.read(attended, u, mask)

    def attend(self, states: Tensor, mask: Tensor) -> Tensor:
        """(B, U, 2D), (B, U) -> (B, U, 2D): equations 2 and 3; padded slots attend to the real ones, unread."""
        scores = self.query(states) @ self.key(states).transpose(-1, -2) / self.scale  # (B, U, U)
        weights = self.attention_tap(masked_softmax(scores, mask[:, None, :])[:, None])[:, 0]
        return self.attention_dropout(weights) @ self.value(states)

    def read(self, attended: Tensor, u: Tensor, mask: Tensor) -> Tensor:
        """(B, U, 2D), (B, 2D), (B, U) -> (B, 2D): equations 4 and 5; an empty memory gives tanh(u)."""
        scores = (attended @ u[..., None])[..., 0]  # (B, U)
        weights = self.read_tap(masked_softmax(scores, mask)[:, None, None])[:, 0, 0]
        context = (self.attention_dropout(weights)[:, None] @ attended)[:, 0]
        return torch.tanh(u + context)


def neighbours(speakers: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """(B, U), (B, U) -> two (B, U) int64: the nearest earlier and later slot where somebody else speaks, -1: none."""
    size = speakers.shape[1]
    slots = torch.arange(size, device=speakers.device)
    someone_else = (speakers[:, :, None] != speakers[:, None, :]) & mask[:, None, :]  # (B, U, U)
    earlier = someone_else & (slots[None, :] < slots[:, None])
    later = someone_else & (slots[None, :] > slots[:, None])
    before = torch.where(earlier, slots, -1).amax(-1)
    after = torch.where(later, slots, size).amin(-1)
    return before, torch.where(after == size, -1, after)


def _others(speakers: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """(B, U) twice -> (pairs,) rows and (pairs,) parties: every speaker but 0 who says something in a row."""
    spoken = torch.where(mask, speakers, 0)
    rows = torch.arange(len(spoken), device=spoken.device)[:, None].expand_as(spoken)
    pairs = torch.unique(torch.stack([rows[spoken > 0], spoken[spoken > 0]], 1), dim=0)
    return pairs[:, 0], pairs[:, 1]
