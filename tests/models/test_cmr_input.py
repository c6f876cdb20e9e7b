"""Bad input for both CMRs: what is no fault is answered, what does not fit is refused with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chiasm.batch import Batch, Regions, Text
from chiasm.data.example import DataError, Example
from chiasm.data.regions import Preprocess as RegionsPreprocess
from chiasm.data.text import Preprocess as TextPreprocess
from chiasm.layers.linear import Precision
from chiasm.layers.precision import set_precision
from chiasm.models import CrossModalModel, cmr, cmr_released
from chiasm.objectives.answers import one_answer

SIZES: dict[str, Any] = {
    "vocab_size": 60,
    "feature_size": 5,
    "num_labels": 2,
    "hidden_size": 24,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "language_layers": 1,
    "object_layers": 1,
    "cross_layers": 1,
    "max_regions": 12,
    "max_position_embeddings": 20,
    "classifier_sizes": (16, 12, 8),
    "initializer_range": 0.2,
}


def paper() -> cmr.Cmr:
    torch.manual_seed(0)
    return cmr.Cmr(cmr.Config(**SIZES, affinity="dot_scaled"), {"answer": one_answer}).eval()


def released() -> cmr_released.CmrReleased:
    torch.manual_seed(0)
    return cmr_released.CmrReleased(cmr_released.Config(**SIZES), {"answer": one_answer}).eval()


BOTH = pytest.mark.parametrize("build", [paper, released])


def statements(words: int, examples: int = 2) -> Text:
    ids = torch.arange(examples * words).view(examples, words) * 7 % 50 + 3
    return Text(ids, torch.ones(examples, words, dtype=torch.bool))


def images(count: int = 2, examples: int = 2, mask: Tensor | None = None) -> Regions:
    rows = examples * count
    features = torch.sin(torch.arange(rows * 60).float() * 0.7).view(rows, 12, 5)
    boxes = torch.cos(torch.arange(rows * 48).float()).abs().view(rows, 12, 4)
    return Regions(features, boxes, mask, index=torch.arange(rows).view(examples, count))


@torch.no_grad()
def answer(model: CrossModalModel, text: Text, regions: Regions) -> Tensor:
    return model(Batch(text=text, regions=regions)).scores["answer"]


@BOTH
def test_an_image_without_regions_is_answered_from_the_rest(build: Any) -> None:
    """A detector finds nothing in a blank picture, and an explanation hides all regions: neither is a mistake."""
    model, text = build(), statements(8)
    there = torch.ones(4, 12, dtype=torch.bool)
    there[1] = False
    seen = images(mask=there)
    features = seen.features.clone()
    features[1] += 5
    empty = answer(model, text, seen)
    assert empty.isfinite().all()
    torch.testing.assert_close(answer(model, text, replace(seen, features=features)), empty)
    full = answer(model, text, images())
    assert not torch.allclose(empty[0], full[0], atol=1e-4)
    torch.testing.assert_close(empty[1], full[1], atol=1e-5, rtol=1e-5)


@BOTH
def test_neither_image_need_have_regions(build: Any) -> None:
    nothing = images(mask=torch.zeros(4, 12, dtype=torch.bool))
    found = answer(build(), statements(8), nothing)
    assert found.isfinite().all()


@BOTH
def test_one_word_is_a_statement(build: Any) -> None:
    """[CLS], the word and [SEP] make three pairs, fewer than the ten that are kept."""
    model = build()
    found = answer(model, statements(3), images())
    assert found.isfinite().all()
    other = statements(3)
    changed = replace(other, input_ids=other.input_ids.index_fill(1, torch.tensor([1]), 2))
    assert not torch.allclose(answer(model, changed, images()), found, atol=1e-5)


@BOTH
def test_two_hundred_words_are_cut_when_they_are_read_and_refused_when_they_are_not(build: Any) -> None:
    long = " ".join(f"word{i % 40}" for i in range(200))
    rows = [Example(id=str(i), values={"text": long}, origin="here") for i in range(2)]
    column = TextPreprocess(max_length=20, vocabulary_size=50).fit(rows).encode(rows)
    text = column.gather(torch.arange(2))
    assert isinstance(text, Text)
    assert text.input_ids.shape == (2, 20)
    assert answer(build(), text, images()).isfinite().all()
    with pytest.raises(
        ValueError, match=r"200 word pieces and 12 regions for a model of 20 and 12; set \[text\] max_l"
    ):
        answer(build(), statements(200), images())


@BOTH
def test_too_many_regions_are_refused(build: Any) -> None:
    seen = images()
    more = replace(seen, features=seen.features.repeat(1, 2, 1), boxes=seen.boxes.repeat(1, 2, 1))
    with pytest.raises(ValueError, match="8 word pieces and 24 regions for a model of 20 and 12"):
        answer(build(), statements(8), more)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (paper, r"reads 2 image\(s\) per example, the batch has {}"),
        (released, r"cmr_released reads 2 images per example, the batch has {}; see model cmr"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_images_is_refused(build: Any, message: str, count: int) -> None:
    with pytest.raises(ValueError, match=message.format(count)):
        answer(build(), statements(8), images(count))


def test_a_row_with_three_images_among_rows_with_two_is_named() -> None:
    picture = np.zeros((8, 8, 3), dtype=np.uint8)
    rows = [Example(id=f"row{n}", values={"images": [picture] * n}, origin=f"line {n}") for n in (2, 3)]
    with pytest.raises(DataError, match="line 3, row row3: 3 images, but the rows before have 2"):
        RegionsPreprocess(extractor="grid").encode(rows)


@BOTH
def test_a_missing_stream_is_named(build: Any) -> None:
    with pytest.raises(ValueError, match="CMR needs text and regions"):
        build()(Batch(text=statements(8)))
    with pytest.raises(ValueError, match="CMR needs text and regions"):
        build()(Batch(regions=images()))


@BOTH
@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_rounded_products_give_nearly_the_same_answer(build: Any, precision: Precision) -> None:
    model = build()
    exact = answer(model, statements(8), images())
    set_precision(model, precision)
    rounded = answer(model, statements(8), images())
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, atol=0.2, rtol=0.1)
