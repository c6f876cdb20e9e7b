"""Repeating, listing and hiding what an example consists of."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from chiasm.batch import Batch, Output, Regions, Text
from chiasm.explain.probe import hide, items, probe, repeat
from tests.explain.planted import ASKED, ColourTask, sample, small_model


@pytest.fixture
def batch() -> Batch:
    return sample(1, torch.Generator().manual_seed(3))[0]


def test_copies_share_no_row_even_when_an_image_is_shown_twice() -> None:
    regions = Regions(torch.arange(6.0).view(1, 3, 2), torch.zeros(1, 3, 4), index=torch.tensor([[0, 0]]))
    text = Text(torch.tensor([[1, 5, 2]]), torch.ones(1, 3, dtype=torch.bool))
    copies = repeat(Batch(text=text, regions=regions), 3)
    assert copies.regions is not None
    assert copies.regions.features.shape == (6, 3, 2)
    assert copies.regions.index is not None
    assert copies.regions.index.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_copy_gives_the_answer_of_the_original(batch: Batch) -> None:
    model = small_model().eval()
    with torch.no_grad():
        one, three = model(batch).scores["answer"], model(repeat(batch, 3)).scores["answer"]
    assert torch.allclose(one.expand(3, -1), three, atol=1e-6)


def test_the_items_of_a_text_are_its_words_without_first_and_last() -> None:
    mask = torch.tensor([[True, True, True, True, False, False]])
    found = items(Text(torch.zeros(1, 6, dtype=torch.int64), mask))
    assert found is not None
    assert found.tolist() == [[False, True, True, False, False, False]]


def test_regions_without_a_mask_are_all_items() -> None:
    found = items(Regions(torch.zeros(2, 3, 5), torch.zeros(2, 3, 4)))
    assert found is not None
    assert found.all()


def test_what_is_hidden_no_longer_changes_the_answer(batch: Batch) -> None:
    model = small_model().eval()
    hidden = torch.tensor([[False, True, False, False]])
    assert batch.regions is not None
    other = batch.regions.features.clone()
    other[:, 1] += 5.0
    changed = replace(batch, regions=replace(batch.regions, features=other))
    with torch.no_grad():
        assert not torch.equal(model(batch).scores["answer"], model(changed).scores["answer"])
        before = model(hide(batch, "regions", hidden)).scores["answer"]
        after = model(hide(changed, "regions", hidden)).scores["answer"]
    assert torch.equal(before, after)


def test_hiding_leaves_the_other_stream_and_the_batch_itself_alone(batch: Batch) -> None:
    hidden = torch.zeros(1, 6, dtype=torch.bool)
    hidden[0, ASKED] = True
    changed = hide(batch, "text", hidden)
    assert batch.text is not None
    assert changed.text is not None
    assert batch.text.attention_mask.all()
    assert int(changed.text.attention_mask.sum()) == 5
    assert changed.regions is batch.regions


def test_the_answer_that_the_model_gives_is_probed_unless_another_is_asked_for(batch: Batch) -> None:
    model = small_model().eval()
    best = int(model(batch).scores["answer"].argmax())
    assert probe(model, ColourTask(), batch).answer == best
    assert probe(model, ColourTask(), batch, answer=2).answer == 2


def test_the_probability_of_the_answer_is_what_decode_says(batch: Batch) -> None:
    model = small_model(initializer_range=0.3).eval()
    asked = probe(model, ColourTask(), batch)
    with torch.no_grad():
        output: Output = model(batch)
    (prediction,) = ColourTask().decode(output, ["x"])
    assert float(asked.probability(output)) == pytest.approx(prediction.probability)


def test_several_examples_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="one example, the batch holds 3"):
        probe(small_model(), ColourTask(), sample(3, torch.Generator())[0])
