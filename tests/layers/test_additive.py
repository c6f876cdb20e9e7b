"""Additive attention: the formula written out, blocks that change nothing, memories without anything in them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from chiasm.layers import additive
from chiasm.layers.additive import AdditiveAttention

IMAGES, BEAMS, REGIONS, KEY, QUERY, HIDDEN = 5, 3, 4, 6, 7, 8


@pytest.fixture
def attention(formula_weights: Callable[..., nn.Module]) -> AdditiveAttention:
    layer = formula_weights(AdditiveAttention(KEY, QUERY, HIDDEN), low=-1, high=1)
    assert isinstance(layer, AdditiveAttention)
    return layer


@pytest.fixture
def given() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    query, keys = torch.randn(IMAGES, BEAMS, QUERY, generator=generator), torch.randn(IMAGES, REGIONS, KEY)
    mask = torch.ones(IMAGES, REGIONS, dtype=torch.bool)
    mask[1, 2:], mask[3] = False, False
    return query, keys, mask


def test_weights_are_those_of_the_formula(attention: AdditiveAttention, given: tuple[Tensor, Tensor, Tensor]) -> None:
    query, keys, mask = given
    weights, context = attention(query, attention.prepare(keys), keys, mask)
    compared = [attention.keys(keys[1, r]) + attention.query(query[1, 2]) for r in range(2)]
    expected = torch.stack([(attention.score.weight[0] * one.tanh()).sum() for one in compared]).softmax(0)
    torch.testing.assert_close(weights[1, 2], torch.cat([expected, torch.zeros(2)]))
    torch.testing.assert_close(context[1, 2], expected @ keys[1, :2])
    assert not context[3].any()  # nothing is real there


@pytest.mark.parametrize("images", [1, 2, 5])
def test_what_is_compared_in_blocks_is_what_is_compared_at_once(
    attention: AdditiveAttention,
    given: tuple[Tensor, Tensor, Tensor],
    images: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    query, keys, mask = given
    whole, _ = attention(query, attention.prepare(keys), keys, mask)
    seen: list[int] = []
    compare = AdditiveAttention._compare

    def counted(self: AdditiveAttention, asked: Tensor, prepared: Tensor) -> Tensor:
        seen.append(len(asked))
        return compare(self, asked, prepared)

    monkeypatch.setattr(AdditiveAttention, "_compare", counted)
    monkeypatch.setattr(additive, "BLOCK", images * BEAMS * REGIONS * HIDDEN)
    with torch.no_grad():
        blocks, _ = attention(query, attention.prepare(keys), keys, mask)
    assert max(seen) == images
    assert sum(seen) == IMAGES
    torch.testing.assert_close(blocks, whole)
