"""The best continuations of long rows are those of a full sort, and their normalisers those of torch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from chiasm.heads.decode import continuations
from chiasm.heads.decode.continuations import CHUNK, best, normalisers


def scores(images: int, beams: int, words: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(images, beams, words, generator=generator), torch.randn(images, beams, generator=generator)


@pytest.mark.parametrize("words", [3, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 1000])
@pytest.mark.parametrize("beams", [1, 5])
def test_they_are_those_of_a_full_sort(words: int, beams: int) -> None:
    given, before = scores(4, beams, words)
    values, rows, said = best(given, before, beams)
    everything = (given + before[..., None]).flatten(1)
    expected = everything.sort(1, descending=True).values[:, :beams]
    assert values.tolist() == expected.tolist()
    assert everything.gather(1, rows * words + said).tolist() == expected.tolist()


def test_several_of_the_best_may_stand_in_one_chunk_and_in_one_beam() -> None:
    given, before = scores(2, 3, 4 * CHUNK)
    given[0, 1, CHUNK + 5 : CHUNK + 8] = torch.tensor([30.0, 50.0, 40.0])
    _, rows, said = best(given, before, 3)
    assert rows[0].tolist() == [1, 1, 1]
    assert said[0].tolist() == [CHUNK + 6, CHUNK + 7, CHUNK + 5]


def test_where_too_few_may_be_said_the_rest_is_never_and_a_word_of_the_vocabulary() -> None:
    given = torch.full((1, 4, CHUNK + 2), -torch.inf)
    given[0, 2, CHUNK + 1] = 1.0
    values, rows, said = best(given, torch.zeros(1, 4), 4)
    assert values[0].tolist() == [1.0, -torch.inf, -torch.inf, -torch.inf]
    assert (rows[0, 0], said[0, 0]) == (2, CHUNK + 1)
    assert int(said.max()) < CHUNK + 2
    assert int(rows.max()) < 4


def test_normalisers_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    given, _ = scores(5, 2, 30)
    monkeypatch.setattr(continuations, "BLOCK", 2 * 2 * 30)  # two images at once, and one alone
    torch.testing.assert_close(normalisers(given), given.logsumexp(-1), rtol=0, atol=0)
