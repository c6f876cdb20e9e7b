"""Muon by singular values, by its parts, and beside torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from chiasm.training.checkpoint import load_optimiser, optimiser_tensors
from chiasm.training.optimisers.muon import Muon, build, orthogonalised


def moved(shape: tuple[int, int], gradients: Tensor, **options: object) -> Tensor:
    """How a matrix that begins at zero moves under the gradients (N, R, C), without decay."""
    parameter = nn.Parameter(torch.zeros(shape))
    muon = build([("layer.weight", parameter)], 1.0, 0.0, **options)  # type: ignore[arg-type]
    for gradient in gradients:
        parameter.grad = gradient.clone()
        muon.step()
    return parameter.detach()


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (16, 32), (1, 5)])
def test_singular_values_become_one_and_directions_stay(rows: int, columns: int) -> None:
    matrices = torch.randn(3, rows, columns, generator=torch.Generator().manual_seed(0))
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    seen = u.mT @ orthogonalised(matrices, 5) @ vh.mT
    values = seen.diagonal(dim1=1, dim2=2)
    assert values.min() > 0.5
    assert values.max() < 1.3
    torch.testing.assert_close(seen, torch.diag_embed(values), atol=1e-4, rtol=0)


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert not moved((3, 4), torch.zeros(2, 3, 4)).any()


def test_more_steps_are_needed_for_small_singular_values() -> None:
    skew = torch.diag(torch.tensor([1.0, 0.003]))[None]
    few, many = (float(torch.linalg.matrix_norm(orthogonalised(skew, n), -2)) for n in (2, 6))
    assert few < 0.1 < 0.6 < many


def test_the_update_has_the_size_of_adamws() -> None:
    gradient = torch.randn(1, 64, 128, generator=torch.Generator().manual_seed(1))
    size = moved((64, 128), gradient).square().mean().sqrt()
    assert 0.12 < float(size) < 0.25  # Adam's updates have 0.2 to 0.4 of the rate in the middle of a run


def test_momentum_is_nesterovs() -> None:
    gradients = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(2))
    mean, expected = torch.zeros(4, 6), torch.zeros(4, 6)
    for gradient in gradients:
        mean = 0.9 * mean + 0.1 * gradient
        expected -= 0.2 * 6**0.5 * orthogonalised((0.9 * mean + 0.1 * gradient)[None], 5)[0]
    torch.testing.assert_close(moved((4, 6), gradients, momentum=0.9), expected)


def test_a_tall_matrix_moves_as_its_transpose() -> None:
    gradients = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(moved((6, 4), gradients), moved((4, 6), gradients.mT).T)


def test_stacked_matrices_move_as_each_alone() -> None:
    gradients = torch.randn(2, 12, 4, generator=torch.Generator().manual_seed(4))
    apart = torch.cat([moved((4, 4), part) for part in gradients.split(4, 1)])
    torch.testing.assert_close(moved((12, 4), gradients, blocks={"layer.*": 3}), apart)
    assert not torch.allclose(moved((12, 4), gradients), apart)


def test_a_stack_of_matrices_moves_as_each_alone() -> None:
    gradients = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(6))
    parameter = nn.Parameter(torch.zeros(3, 4, 6))
    muon = build([("heads.weight", parameter)], 1.0, 0.0, stacks=["heads.*"])
    for gradient in gradients:
        parameter.grad = gradient.clone()
        muon.step()
    torch.testing.assert_close(parameter.detach(), torch.stack([moved((4, 6), gradients[:, n]) for n in range(3)]))


def test_rows_that_make_no_equal_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"attention\.qkv\.weight has 10 rows, not 3 equal blocks"):
        build([("attention.qkv.weight", nn.Parameter(torch.zeros(10, 4)))], 0.1, 0.0)


class Small(nn.Module):
    """Something of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.kernel = nn.Conv1d(4, 4, 2)
        self.hidden = nn.Linear(4, 4)
        self.idle = nn.Linear(4, 4)

    def forward(self, words: Tensor) -> Tensor:
        """(B, T) -> a scalar."""
        x: Tensor = self.hidden(self.kernel(self.embedding(words).mT).mean(-1))
        return x.square().sum()


def trained(optimiser: str, steps: int) -> Small:
    """A model after so many steps, always from the same weights."""
    torch.manual_seed(0)
    model = Small()
    if optimiser == "muon":
        built: torch.optim.Optimizer = build(model.named_parameters(), 0.05, 0.1, betas=(0.9, 0.99))
    else:
        built = torch.optim.AdamW(model.parameters(), lr=0.05, betas=(0.9, 0.99), weight_decay=0.1)
    for _ in range(steps):
        built.zero_grad()
        model(torch.tensor([[0, 1, 2, 3]])).backward()
        built.step()
    return model


def test_all_but_matrices_move_as_adamw_says() -> None:
    muon, adam = (dict(trained(name, 1).named_parameters()) for name in ("muon", "adamw"))
    same = {name for name in muon if torch.allclose(muon[name], adam[name], atol=1e-6)}
    vectors = {name for name in muon if name.endswith("bias")}  # AdamW here decays them: by 0.05 * 0.1 of their value
    assert {"embedding.weight", "kernel.weight"} <= same
    assert "hidden.weight" not in same
    for name in vectors - {"idle.bias"}:
        torch.testing.assert_close(muon[name], adam[name], atol=5e-3, rtol=0)


def test_a_closure_is_evaluated_once_and_first() -> None:
    parameter = nn.Parameter(torch.ones(2, 2))
    muon = build([("weight", parameter)], 0.01, 0.0)
    calls = []

    def closure() -> Tensor:
        calls.append(parameter.detach().clone())
        loss = parameter.sum()
        loss.backward()
        return loss.detach()

    assert float(muon.step(closure)) == 4  # type: ignore[arg-type]
    assert len(calls) == 1
    assert (parameter < 1).all()


def test_what_has_no_gradient_stays() -> None:
    fresh, after = trained("muon", 0), trained("muon", 3)
    assert torch.equal(fresh.idle.weight, after.idle.weight)


def test_a_step_taken_from_a_checkpoint_is_the_same_bit_for_bit() -> None:
    torch.manual_seed(0)
    model = Small()
    words = torch.tensor([[0, 1, 2, 3]])

    def step(own: Small, muon: torch.optim.Optimizer) -> None:
        own.zero_grad()
        own(words).backward()
        muon.step()

    muon = build(model.named_parameters(), 0.05, 0.1)
    step(model, muon)
    tensors, plain = optimiser_tensors(muon)
    copy = Small()
    copy.load_state_dict(model.state_dict())
    again = build(copy.named_parameters(), 0.05, 0.1)
    load_optimiser(again, {name: tensor.clone() for name, tensor in tensors.items()}, plain)
    for own, optimiser in ((model, muon), (copy, again)):
        step(own, optimiser)
    for mine, its in zip(model.parameters(), copy.parameters(), strict=True):
        assert torch.equal(mine, its)


def test_beside_torchs_own() -> None:
    theirs = getattr(torch.optim, "Muon", None)
    if theirs is None:
        pytest.skip("this torch has no Muon")
    gradients = torch.randn(3, 8, 16, generator=torch.Generator().manual_seed(5))
    parameter = nn.Parameter(torch.zeros(8, 16))
    muon = theirs([parameter], lr=1.0, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        parameter.grad = gradient.clone()
        muon.step()
    torch.testing.assert_close(moved((8, 16), gradients), parameter.detach(), atol=0.03, rtol=0.03)  # its is bfloat16


def test_it_is_an_adamw_that_the_scaler_unscales_first() -> None:
    muon = build(Small().named_parameters(), 0.1, 0.0)
    assert isinstance(muon, Muon)
    assert not muon._step_supports_amp_scaling
