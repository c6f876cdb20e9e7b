"""The parts of COIN against the sheet's reference numbers and against slow loops."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from chiasm.fusion.conversation import ContextualInteraction, MutualInteraction, SpeakerStates, neighbours
from chiasm.layers.recording import record
from chiasm.layers.recurrent import SkippingGRU


def test_a_state_is_gated_by_the_other_speakers_last_state_as_in_the_sheet() -> None:
    interaction = MutualInteraction(2)
    with torch.no_grad():
        interaction.forward_gates.other.weight.copy_(torch.tensor([[0.3, -0.2], [0.1, 0.5]]).T)  # row convention
        interaction.forward_gates.other.bias.copy_(torch.tensor([0.05, -0.1]))
    states = torch.zeros(2, 2, 4)
    states[0, 0, :2] = torch.tensor([0.1, 0.4])  # B speaks first
    states[:, 1, :2] = torch.tensor([0.5, -0.2])  # then A; in row 1 nobody spoke before
    speakers = torch.tensor([[1, 0], [1, 0]])
    mask = torch.tensor([[True, True], [False, True]])
    with record(interaction) as recorded:
        gated = interaction(states, speakers, mask)[:, 1, :2]
    gates = recorded["forward_tap"][0][:, 1]
    torch.testing.assert_close(gates[0], torch.tensor([0.529964, 0.519989]), atol=1e-6, rtol=0)
    torch.testing.assert_close(gated[0], torch.tensor([0.264982, -0.103998]), atol=1e-6, rtol=0)
    torch.testing.assert_close(gates[1], torch.tensor([0.512497, 0.475021]), atol=1e-6, rtol=0)
    torch.testing.assert_close(gated[1], torch.tensor([0.256249, -0.095004]), atol=1e-6, rtol=0)


@pytest.fixture
def layer() -> ContextualInteraction:
    layer = ContextualInteraction(1, dropout=0.0, scale=2**0.5)
    with torch.no_grad():
        layer.query.weight.copy_(torch.eye(2))
        layer.key.weight.copy_(0.5 * torch.eye(2))
        layer.value.weight.copy_(torch.tensor([[1.0, 0.5], [-0.5, 1.0]]).T)
    return layer


STATES = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
QUERY = torch.tensor([[0.5, -0.25]])


def test_a_stack_attends_and_is_read_as_in_the_sheet(layer: ContextualInteraction) -> None:
    mask = torch.ones(1, 3, dtype=torch.bool)
    with record(layer) as recorded:
        attended = layer.attend(STATES, mask)
        after = layer.read(attended, QUERY, mask)
    rows = [[0.370070, 0.259859, 0.370070], [0.259859, 0.370070, 0.370070], [0.292046, 0.292046, 0.415908]]
    torch.testing.assert_close(recorded["attention_tap"][0][0, 0], torch.tensor(rows), atol=1e-6, rtol=0)
    wanted = torch.tensor([[[0.425176, 1.0], [0.259859, 1.055106], [0.353977, 1.061931]]])
    torch.testing.assert_close(attended, wanted, atol=1e-6, rtol=0)
    read = recorded["read_tap"][0][0, 0]
    torch.testing.assert_close(read, torch.tensor([[0.349862, 0.317699, 0.332439]]), atol=1e-6, rtol=0)
    torch.testing.assert_close((read @ attended[0])[0], torch.tensor([0.348986, 1.038095]), atol=1e-6, rtol=0)
    torch.testing.assert_close(after, torch.tensor([[0.690539, 0.657329]]), atol=1e-6, rtol=0)


def test_a_masked_slot_is_neither_attended_to_nor_read(layer: ContextualInteraction) -> None:
    mask = torch.tensor([[True, True, False]])
    attended = layer.attend(STATES, mask)
    with record(layer) as recorded:
        after = layer.read(attended, QUERY, mask)
    torch.testing.assert_close(
        recorded["read_tap"][0][0, 0], torch.tensor([[0.538197, 0.461803, 0.0]]), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(after, torch.tensor([[0.641091, 0.459485]]), atol=1e-6, rtol=0)
    changed = STATES.clone()
    changed[0, 2] = 9.0
    torch.testing.assert_close(layer.attend(STATES, mask)[:, :2], layer.attend(changed, mask)[:, :2])


def test_an_empty_memory_is_read_as_nothing_and_has_a_finite_gradient(layer: ContextualInteraction) -> None:
    u = QUERY.clone().requires_grad_()
    _, after = layer(STATES, u, torch.zeros(1, 3, dtype=torch.bool))
    after.sum().backward()
    torch.testing.assert_close(after, torch.tanh(QUERY))
    assert torch.isfinite(u.grad).all()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in layer.parameters())


def carried(cell: nn.GRU, x: torch.Tensor, mask: torch.Tensor, reverse: bool) -> torch.Tensor:
    """The same recurrence as a loop over all slots that keeps the state at silent ones; outputs masked."""
    end = "_reverse" if reverse else ""
    step = nn.GRUCell(cell.input_size, cell.hidden_size)
    for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(step, part).data = getattr(cell, f"{part}_l0{end}").data
    h, out = torch.zeros(len(x), cell.hidden_size), torch.zeros(*mask.shape, cell.hidden_size)
    for i in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
        h = torch.where(mask[:, i, None], step(x[:, i], h), h)
        out[:, i] = h * mask[:, i, None]
    return out


def test_a_skipping_gru_is_a_loop_that_carries_the_state_over_silent_slots() -> None:
    torch.manual_seed(0)
    gru, x = SkippingGRU(3, 4), torch.randn(5, 7, 3)
    mask = torch.rand(5, 7) < 0.5
    mask[0] = False
    wanted = torch.cat([carried(gru.gru, x, mask, reverse) for reverse in (False, True)], -1)
    torch.testing.assert_close(gru(x, mask), wanted)


def test_every_further_speaker_has_a_state_of_his_own() -> None:
    torch.manual_seed(0)
    states, x = SpeakerStates(3, 4), torch.randn(1, 6, 3)
    speakers, mask = torch.tensor([[1, 2, 0, 2, 1, 0]]), torch.ones(1, 6, dtype=torch.bool)
    found = states(x, speakers, mask)
    for party in (1, 2):
        alone = states.other(x, speakers == party)
        torch.testing.assert_close(found[0, speakers[0] == party], alone[0, speakers[0] == party])
    renamed = torch.tensor([[2, 1, 0, 1, 2, 0]])
    torch.testing.assert_close(states(x, renamed, mask), found)


def test_the_neighbour_is_the_last_slot_where_somebody_else_spoke() -> None:
    speakers = torch.tensor([[0, 0, 1, 0, 2, 2]])
    mask = torch.tensor([[True, True, True, True, True, False]])
    before, after = neighbours(speakers, mask)
    assert before[0, :5].tolist() == [-1, -1, 1, 2, 3]
    assert after[0, :5].tolist() == [2, 2, 3, 4, -1]
