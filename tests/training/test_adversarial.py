"""Adversarial training: the sheet's numbers, the length of the move, and that nothing leaks into the gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Dialogue, Output
from chiasm.models import CrossModalModel
from chiasm.models import model as model_file
from chiasm.models.coin import Coin, Config
from chiasm.objectives.answers import one_answer
from chiasm.training.errors import RecipeError
from chiasm.training.procedures.adversarial import adversarial_losses, perturbation, perturbed_module
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train


class Linear(CrossModalModel):
    """softmax(u W), the sheet's example."""

    streams = frozenset({"dialogue"})

    def __init__(self) -> None:
        super().__init__(None, {"answer": one_answer})
        self.utterances = nn.Identity()
        self.weight = nn.Parameter(torch.tensor([[0.5, -0.3, 0.2], [-0.1, 0.4, 0.6]]))

    def forward(self, batch: Batch) -> Output:
        assert batch.dialogue is not None
        return Output({"answer": self.utterances(batch.dialogue.features)[:, 0] @ self.weight.T})


def one(u: list[float], target: int) -> Batch:
    ones = torch.ones(1, 1, dtype=torch.bool)
    dialogue = Dialogue(torch.tensor([[u]]), torch.zeros(1, 1).long(), ones, torch.zeros(1).long())
    return Batch(dialogue=dialogue, targets={"answer": torch.tensor([target])})


@pytest.mark.parametrize(("epsilon", "moved", "total"), [(5.0, 5.061295, 5.769555), (0.1, 0.760524, 1.468783)])
def test_the_moved_loss_is_the_sheets(epsilon: float, moved: float, total: float) -> None:
    model = Linear()
    losses = adversarial_losses(
        model, model, one([0.2, -0.1, 0.4], 1), model.utterances, epsilon=epsilon, level="sample"
    )
    assert losses["answer"].item() == pytest.approx(0.708260, abs=1e-6)
    assert losses["adversarial/answer"].item() == pytest.approx(moved, abs=2e-6)
    assert sum(losses.values()).item() == pytest.approx(total, abs=2e-6)


def test_the_move_is_the_gradient_at_length_epsilon() -> None:
    move = perturbation(torch.tensor([[[0.304500, -0.355250, -0.203000]]]), epsilon=5.0)
    wanted = torch.tensor([3.185112, -3.582630, -1.590074]) - torch.tensor([0.2, -0.1, 0.4])
    torch.testing.assert_close(move[0, 0], wanted, atol=2e-5, rtol=0)


@pytest.mark.parametrize("level", ["sample", "utterance", "batch"])
def test_what_has_the_length_epsilon_is_what_the_level_says(level: Any) -> None:
    torch.manual_seed(0)
    move = perturbation(torch.randn(4, 6, 3), epsilon=5.0, level=level)
    lengths = {
        "sample": move.flatten(1).norm(dim=1),
        "utterance": move.norm(dim=-1),
        "batch": move.norm()[None],
    }[level]
    assert (lengths - 5).abs().max() < 1e-5


def test_a_zero_gradient_moves_nothing() -> None:
    assert perturbation(torch.zeros(2, 3, 4), epsilon=5.0).eq(0).all()


def conversation(seed: int = 0) -> Batch:
    torch.manual_seed(seed)
    mask = torch.ones(3, 5, dtype=torch.bool)
    mask[1, :2] = False
    mask[2, :4] = False  # no history at all
    speakers = torch.tensor([[0, 1, 0, 1, 0]]).expand(3, 5)
    features = torch.randn(3, 5, 8) * mask[..., None]
    dialogue = Dialogue(features, speakers, mask, torch.full((3,), 4))
    return Batch(dialogue=dialogue, targets={"answer": torch.tensor([0, 1, 2])})


def test_coins_inputs_move_by_epsilon_and_padded_slots_stay() -> None:
    model, batch = small_coin(), conversation()
    move = moved_by(model, batch)
    assert (move.flatten(1).norm(dim=1) - 5).abs().max() < 1e-5
    assert move[~batch.dialogue.attention_mask].eq(0).all()  # type: ignore[union-attr]


def small_coin() -> Coin:
    torch.manual_seed(1)
    return Coin(Config(feature_size=8, num_labels=3, hidden_size=6, layers=2, dropout_keep=1.0), {"answer": one_answer})


def moved_by(model: Coin, batch: Batch) -> Tensor:
    """The difference of the module's outputs in the two passes, seen by what reads them."""
    inputs: list[Tensor] = []
    handle = model.query.register_forward_pre_hook(lambda _, args: inputs.append(args[0].detach()))
    speaking: list[Tensor] = []
    second = model.speakers.register_forward_pre_hook(lambda _, args: speaking.append(args[0].detach()))
    adversarial_losses(model, model, batch, model.utterances, epsilon=5.0, level="sample")
    handle.remove()
    second.remove()
    assert len(inputs) == len(speaking) == 2
    return speaking[1] - speaking[0]


def test_computing_the_move_leaves_nothing_in_the_parameters_gradients() -> None:
    model, batch = small_coin(), conversation()
    losses = adversarial_losses(model, model, batch, model.utterances, epsilon=0.5, level="sample")
    assert all(p.grad is None for p in model.parameters())
    gradient = gradients_of(model, losses)
    move = moved_by_constant(model, batch, epsilon=0.5)
    for name, wanted in move.items():
        torch.testing.assert_close(gradient[name], wanted, atol=1e-5, rtol=1e-4)


def gradients_of(model: Coin, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    model.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def moved_by_constant(model: Coin, batch: Batch, *, epsilon: float) -> dict[str, Tensor]:
    """The same gradient from two ordinary batches: the original one and one moved by a constant."""
    assert batch.dialogue is not None
    features = batch.dialogue.features.clone().requires_grad_()
    loss = model.losses(model(replace(batch, dialogue=replace(batch.dialogue, features=features))), batch)["answer"]
    (g,) = torch.autograd.grad(loss, features)
    moved = batch.dialogue.features + perturbation(g, epsilon=epsilon)
    second = replace(batch, dialogue=replace(batch.dialogue, features=moved))
    losses = {
        "answer": model.losses(model(batch), batch)["answer"],
        "moved": model.losses(model(second), second)["answer"],
    }
    return gradients_of(model, losses)


@pytest.mark.parametrize("name", ["coin", "icon", "cmn", "bc_lstm", "dialogue_rnn", "dialogue_gcn"])
def test_every_conversation_model_can_be_trained_adversarially(name: str) -> None:
    file = model_file(name)
    torch.manual_seed(0)
    model = file.Model(file.Config(feature_size=8, num_labels=3, hidden_size=6), {"answer": one_answer}).eval()
    losses = adversarial_losses(model, model, conversation(), model.utterances, epsilon=0.1, level="sample")
    assert losses["adversarial/answer"] > losses["answer"]  # the loss grows along its gradient


def test_a_module_that_the_model_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match="no module 'featurs'; it has utterances"):
        perturbed_module(small_coin(), "featurs")


def test_a_run_says_how_large_the_inputs_are_beside_the_move(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = load_recipe("coin").tiny().with_settings(["training.epochs=1", "training.trackers=[]"])
    train(recipe, out=tmp_path / "run")
    said = capsys.readouterr()
    assert "each sample is moved by 0.5; the inputs' mean norm is" in said.out + said.err
