"""Affinities, their convolutions, and the choice of pairs, beside slow explicit formulas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from chiasm.fusion.relevance import AffinityCnn, Relations, cosine, dot, dot_scaled

SIZE, ENTITIES = 6, 7


def entities(rows: int = 2) -> Tensor:
    return torch.sin(torch.arange(rows * ENTITIES * SIZE).float() * 0.73).view(rows, ENTITIES, SIZE)


def relations(top_k: int = 4, **options: str) -> Relations:
    torch.manual_seed(0)
    made = Relations(SIZE, ENTITIES, top_k=top_k, **options)  # type: ignore[arg-type]
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made


def importance(rows: int = 2) -> Tensor:
    return torch.cos(torch.arange(rows * ENTITIES).float()).view(rows, ENTITIES).abs() + 0.1


@pytest.mark.parametrize(
    ("rows", "columns", "channels", "parameters"),
    [(20, 36, (16, 32), 521_664), (36, 36, (16, 32), 1_209_792), (10, 10, (16, 32), 30_144), (10, 10, (32,), 394_304)],
)
def test_convolutions_have_the_parameters_of_the_sheet(
    rows: int, columns: int, channels: tuple[int, ...], parameters: int
) -> None:
    """Sheet `cmr`, sections 3.3 and 3.4."""
    made = AffinityCnn(rows, columns, channels, 768)
    assert sum(p.numel() for p in made.parameters()) == parameters
    assert made(torch.zeros(2, rows, columns)).shape == (2, 768)


def test_too_few_affinities_are_refused() -> None:
    with pytest.raises(ValueError, match="2 convolutions leave nothing of 8 x 20"):
        AffinityCnn(8, 20, (16, 32), 4)
    with pytest.raises(ValueError, match="4 entities have fewer than top_k = 10 pairs"):
        Relations(SIZE, 4, top_k=10)


def test_the_three_affinities() -> None:
    a, b = entities(), entities().flip(1)
    torch.testing.assert_close(dot_scaled(a, b), dot(a, b) / SIZE**0.5)
    assert dot(a, b)[1, 2, 3] == pytest.approx(float(a[1, 2] @ b[1, 3]))
    expected = nn.functional.cosine_similarity(a[:, :, None], b[:, None], dim=-1)
    torch.testing.assert_close(cosine(a, b), expected)


PAIRS = [(i, j) for i in range(ENTITIES) for j in range(i + 1, ENTITIES)]


def pair_vectors(made: Relations, x: Tensor) -> Tensor:
    """r of every pair i before j, by the formula."""
    joined = [made.first(torch.cat([x[:, i], x[:, j]], -1)) for i, j in PAIRS]
    return torch.stack([made.second(torch.relu(one)) for one in joined], 1)


def test_scores_are_those_of_the_concatenation_i_before_j() -> None:
    """Also where the two linear layers between are joined, where rows are read in parts, and where few are read."""
    for rows in (1, 2, 400):
        made, x = relations(), entities(rows)
        u = made.score(pair_vectors(made, x))[..., 0].softmax(-1)
        torch.testing.assert_close(made.scores(x, None), u)
        with torch.no_grad():
            torch.testing.assert_close(made.scores(x, None), u)
    wide = Relations(48, ENTITIES, top_k=4)
    few = torch.sin(torch.arange(ENTITIES * 48.0)).view(1, ENTITIES, 48)
    assert 3 * len(PAIRS) < 2 * 48  # too few to join the layers for
    torch.testing.assert_close(wide.scores(few, None), wide.score(pair_vectors(wide, few))[..., 0].softmax(-1))


def test_scores_that_are_known_already_are_used() -> None:
    made, x, v = relations(), entities(), importance()
    known = made.scores(x, None)
    torch.testing.assert_close(made(x, v, None, known), made(x, v, None))
    other = torch.zeros_like(known)
    other[:, 7], other[:, 3] = 2, 1
    v = torch.ones_like(v)
    torch.testing.assert_close(made(x, v, None, other)[:, :2], pair_vectors(made, x)[:, [7, 3]])


@pytest.mark.parametrize("gate", ["none", "score", "straight_through"])
def test_gradients_are_those_of_the_formula(gate: str) -> None:
    made, v = relations(gate=gate).double(), importance().double()
    x, literal = (entities().double().requires_grad_() for _ in range(2))
    made(x, v, None).square().sum().backward()
    ours = {name: p.grad.clone() for name, p in made.named_parameters() if p.grad is not None}
    made.zero_grad(set_to_none=True)
    vectors, w = pair_vectors(made, literal), ranking(made, literal, v)
    best, places = w.topk(4)
    chosen = vectors.gather(1, places[..., None].expand(-1, -1, SIZE))
    factor = {"none": torch.ones_like(best), "score": best / best[:, :1], "straight_through": 1 + best - best.detach()}
    (chosen * factor[gate][..., None]).square().sum().backward()
    torch.testing.assert_close(x.grad, literal.grad)
    assert set(ours) == {name for name, p in made.named_parameters() if p.grad is not None}
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, made.get_parameter(name).grad)


def ranking(made: Relations, x: Tensor, v: Tensor) -> Tensor:
    """W of every pair, by the formula."""
    u = made.score(pair_vectors(made, x))[..., 0].softmax(-1)
    return torch.stack([u[:, n] * v[:, i] * v[:, j] for n, (i, j) in enumerate(PAIRS)], 1)


def test_the_best_pairs_are_chosen_best_first() -> None:
    made, x, v = relations(), entities(), importance()
    chosen = made(x, v, None)
    order = ranking(made, x, v).argsort(1, descending=True)[:, :4]
    for row in range(2):
        torch.testing.assert_close(chosen[row], pair_vectors(made, x)[row, order[row]])


def test_hidden_entities_are_in_no_chosen_pair() -> None:
    made, x, v = relations(), entities(), importance()
    mask = torch.ones(2, ENTITIES, dtype=torch.bool)
    mask[:, 5:] = False
    changed = x.clone()
    changed[:, 5:] += 9
    torch.testing.assert_close(made(x, v, mask), made(changed, v, mask))
    mask[:, 3:] = False  # three entities have three pairs; the fourth place is empty
    chosen = made(x, v, mask)
    assert chosen[:, :3].abs().sum() > 0
    assert not chosen[:, 3].any()


def gradient_of_the_scores(gate: str) -> float:
    made = relations(gate=gate)
    made(entities(), importance(), None).square().sum().backward()
    return sum(float(p.grad.abs().sum()) for p in made.score.parameters() if p.grad is not None)


def test_the_scoring_network_learns_only_through_a_gate() -> None:
    """Sheet `cmr`, section 10, trap 1."""
    assert gradient_of_the_scores("none") == 0
    assert gradient_of_the_scores("score") > 0
    assert gradient_of_the_scores("straight_through") > 0


def test_a_straight_through_gate_changes_no_value() -> None:
    plain, through = (relations(gate=g)(entities(), importance(), None) for g in ("none", "straight_through"))
    torch.testing.assert_close(plain, through)
    scored = relations(gate="score")(entities(), importance(), None)
    torch.testing.assert_close(scored[:, 0], plain[:, 0])  # the highest score is the unit
    assert (scored[:, -1].abs() < plain[:, -1].abs()).all()
