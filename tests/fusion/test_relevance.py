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


def test_pairs_are_those_of_the_concatenation_i_before_j() -> None:
    made, x = relations(), entities()
    found = made.pair_vectors(x)
    place = 0
    for i in range(ENTITIES):
        for j in range(i + 1, ENTITIES):
            joined = torch.cat([x[:, i], x[:, j]], -1)
            expected = made.second(torch.relu(made.first(joined)))
            torch.testing.assert_close(found[:, place], expected)
            place += 1
    assert place == found.shape[1] == 21


def ranking(made: Relations, x: Tensor, v: Tensor) -> Tensor:
    """W of every pair, by the formula."""
    u = made.score(made.pair_vectors(x))[..., 0].softmax(-1)
    pairs = [(i, j) for i in range(ENTITIES) for j in range(i + 1, ENTITIES)]
    return torch.stack([u[:, n] * v[:, i] * v[:, j] for n, (i, j) in enumerate(pairs)], 1)


def test_the_best_pairs_are_chosen_best_first() -> None:
    made, x, v = relations(), entities(), importance()
    chosen = made(x, v, None)
    order = ranking(made, x, v).argsort(1, descending=True)[:, :4]
    for row in range(2):
        torch.testing.assert_close(chosen[row], made.pair_vectors(x)[row, order[row]])


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
