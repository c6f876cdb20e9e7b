"""The last layer: the sheet's numbers, gradients that stop at fixed targets, targets that are not stored."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from chiasm.heads.words import Draw, FixedTargets, TiedTargets, WordOptions, draw_targets, word_targets
from chiasm.metrics.word_vectors import magnitudes
from chiasm.objectives.words import next_word

W = torch.tensor([[3.0, 4.0], [-1.0, 2.0], [0.0, -5.0]])
F = torch.tensor([1.0, 2.0])


def fixed(weight: torch.Tensor, bias: list[float]) -> FixedTargets:
    layer = FixedTargets(weight)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor(bias))  # type: ignore[union-attr]
    return layer


def test_scores_are_the_sheets() -> None:
    logits = fixed(W, [0.1, 0.0, -0.2])(F)
    torch.testing.assert_close(logits, torch.tensor([11.1, 3.0, -10.2]))
    torch.testing.assert_close(logits.softmax(0), torch.tensor([0.999697, 0.000303, 0.0]), atol=1e-6, rtol=0)


def test_normalised_scores_are_the_sheets() -> None:
    logits = fixed(W / W.norm(dim=1, keepdim=True), [0.1, 0.0, -0.2])(F)
    torch.testing.assert_close(logits, torch.tensor([2.3, 1.341641, -2.2]), atol=1e-6, rtol=0)
    torch.testing.assert_close(logits.softmax(0), torch.tensor([0.717036, 0.274999, 0.007966]), atol=1e-6, rtol=0)


def test_lengths_and_angles_are_the_sheets() -> None:
    assert magnitudes(W) == pytest.approx([5, 2.236068, 5], abs=1e-6)
    cosines = FixedTargets(W / W.norm(dim=1, keepdim=True), fix_bias=True)(F / F.norm())
    torch.testing.assert_close(cosines, torch.tensor([0.983870, 0.600000, -0.894427]), atol=1e-6, rtol=0)


def test_loss_and_gradient_are_the_sheets_and_stop_at_the_targets() -> None:
    features = F.clone().requires_grad_()
    layer = fixed(W, [0.1, 0.0, -0.2])
    loss = next_word(layer(features)[None], torch.tensor([1]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(8.100303, abs=1e-5)
    torch.testing.assert_close(features.grad, torch.tensor([3.998786, 1.999393]), atol=1e-5, rtol=0)
    assert layer.weight.grad is None
    assert not layer.weight.requires_grad


def test_drawn_targets_have_the_expected_norms_and_angles() -> None:
    drawn = draw_targets(3000, 512)
    assert float(drawn.norm(dim=1).mean()) == pytest.approx(130.639453, rel=2e-3)
    assert float(drawn.std()) == pytest.approx(5.773503, rel=2e-3)
    unit = drawn / drawn.norm(dim=1, keepdim=True)
    cosines = (unit @ unit.T)[~torch.eye(3000, dtype=torch.bool)]
    assert float(cosines.std()) == pytest.approx(0.044194, rel=5e-3)


def test_drawn_targets_are_the_same_for_a_seed_and_new_for_another() -> None:
    assert torch.equal(draw_targets(20, 8, seed=3), draw_targets(20, 8, seed=3))
    assert not torch.equal(draw_targets(20, 8, seed=3), draw_targets(20, 8, seed=4))
    for draw in DRAWN:
        few, many = (draw_targets(count, 8, draw=draw, seed=3) for count in (20, 30))
        assert torch.equal(few, many[:20])  # a row is its word's own


DRAWN: dict[Draw, list[list[float]]] = {
    "uniform": [
        [-9.56653, -0.429201, -5.59686, -3.999301],
        [-6.764331, 2.828385, 8.768547, -5.877335],
        [4.431086, 7.880872, -6.023357, 6.383364],
    ],
    "sparse": [[-9.56653, 0, 0, 0], [0, 0, 0, -5.877335], [0, 7.880872, 0, 0]],
    "hadamard": [[-10, 10, -10, -10], [10, -10, -10, -10], [10, 10, -10, 10]],
}


@pytest.mark.parametrize("draw", DRAWN)
def test_drawn_targets_stay_those_of_bundles_that_were_saved(draw: Draw) -> None:
    """They are in no file: other numbers here would silently break every bundle with fixed targets."""
    drawn = draw_targets(5, 4, draw=draw, seed=7)[:3]
    torch.testing.assert_close(drawn, torch.tensor(DRAWN[draw], dtype=torch.float32), atol=1e-5, rtol=0)


def test_unknown_kinds_of_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="targets is 'frozen': 'trained', 'tied' or 'fixed' is expected"):
        word_targets(WordOptions(num_words=9, targets="frozen"), 4, nn.Embedding(9, 4))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="target_draw is 'normal': one of uniform, sparse, hadamard"):
        draw_targets(9, 4, draw="normal")  # type: ignore[arg-type]


def test_normalised_targets_have_norm_one() -> None:
    for draw in ("uniform", "sparse", "hadamard"):
        norms = draw_targets(50, 32, draw=draw, normalised=True).norm(dim=1)  # type: ignore[arg-type]
        torch.testing.assert_close(norms, torch.ones(50))


def test_sparse_targets_have_few_cells_and_no_empty_row() -> None:
    drawn = draw_targets(2000, 64, draw="sparse")
    assert float((drawn != 0).float().mean()) == pytest.approx(1 / 16 + 1 / 64 * 15 / 16, rel=0.05)
    assert bool((drawn != 0).any(1).all())


def test_hadamard_targets_are_orthogonal_as_far_as_they_fit() -> None:
    drawn = draw_targets(16, 16, draw="hadamard", scale=2.0)
    torch.testing.assert_close(drawn @ drawn.T, 64 * torch.eye(16))
    many = draw_targets(300, 64, draw="hadamard")
    assert set(many.unique().tolist()) == {-10.0, 10.0}
    assert len(many.unique(dim=0)) == 300
    for block in many.split(64):
        torch.testing.assert_close(block @ block.T, 6400 * torch.eye(len(block)))
    between = many[:64] @ many[64:].T / 6400
    assert float(between.square().mean().sqrt()) == pytest.approx(64**-0.5, rel=0.05)


def test_hadamard_targets_of_another_width_are_nearly_orthogonal() -> None:
    block = draw_targets(100, 48, draw="hadamard", normalised=True)[:64]
    cosines = (block @ block.T)[~torch.eye(64, dtype=torch.bool)]
    assert float(cosines.square().mean()) == pytest.approx((64 - 48) / (48 * 63))


def test_fixed_targets_are_not_stored() -> None:
    layer = word_targets(WordOptions(num_words=9, targets="fixed"), 4, nn.Embedding(9, 4))
    assert set(layer.state_dict()) == {"bias"}
    frozen = word_targets(WordOptions(num_words=9, targets="fixed", fix_bias=True), 4, nn.Embedding(9, 4))
    assert not list(frozen.parameters())
    assert not frozen.state_dict()


def test_fixed_targets_are_drawn_on_the_meta_device_too() -> None:
    with torch.device("meta"):
        layer = word_targets(WordOptions(num_words=9, targets="fixed"), 4, nn.Embedding(9, 4))
    assert all(parameter.is_meta for parameter in layer.parameters())


def test_tied_targets_are_the_embedding() -> None:
    embedding = nn.Embedding(9, 4)
    layer = word_targets(WordOptions(num_words=9, targets="tied"), 4, embedding)
    assert isinstance(layer, TiedTargets)
    assert layer.weight is embedding.weight
    with pytest.raises(ValueError, match="as wide as the word vectors"):
        word_targets(WordOptions(num_words=9, targets="tied"), 5, embedding)
