"""What is hidden: how often, what becomes of it, what is asked; and that each visit's draws are their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chiasm.batch import Batch, Regions, Text
from chiasm.data.answers import SparseColumn
from chiasm.data.example import DataError, Example
from chiasm.data.flat_regions import FlatRegions
from chiasm.data.hidden import HiddenDataset, Hiding, NamedRegions
from chiasm.data.regions import RegionsColumn
from chiasm.data.text import TextColumn

HEADS = ("words", "matched", "objects", "attributes", "features", "answer")
CLS, SEP, MASK, VOCABULARY = 2, 3, 4, 90
N, WORDS, IMAGES, REGIONS, F = 600, 9, 40, 5, 3


def texts(rows: int = N) -> TextColumn:
    """[CLS], between 1 and 9 words (ids from 10 on), [SEP]."""
    lengths = torch.arange(rows) % WORDS + 1
    ids = [torch.cat([torch.tensor([CLS]), 10 + (torch.arange(int(n)) * 7 + i) % 80, torch.tensor([SEP])])
           for i, n in enumerate(lengths)]  # fmt: skip
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), (lengths + 2).cumsum(0)])
    return TextColumn(torch.cat(ids).int(), offsets, pad_id=0, mask_id=MASK, vocab_size=VOCABULARY)


def regions(rows: int = N, *, detected: bool = True) -> RegionsColumn:
    """40 images of 2 to 5 regions; example i shows image i mod 40. A region's first feature is its number."""
    counts = torch.arange(IMAGES) % 4 + 2
    total = int(counts.sum())
    features = 1 + torch.arange(total * F, dtype=torch.float32).view(total, F)
    labels: dict[str, Any] = {}
    if detected:
        numbers, sure = torch.arange(total) % 6 - 1, torch.linspace(0.1, 1, total)  # -1: the class is not known
        labels = {"labels": numbers, "confidences": sure, "attributes": numbers % 3, "attribute_confidences": sure}
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    flat = FlatRegions(features, torch.rand(total, 4, generator=torch.Generator().manual_seed(0)), offsets, **labels)
    return RegionsColumn(flat, (torch.arange(rows) % IMAGES)[:, None], max_regions=36)


def answers(rows: int = N) -> SparseColumn:
    """Every third example has no answer, every third one, every third two with scores 0.3 and 0.9."""
    picked: list[list[tuple[int, float]]] = [([], [(i % 7, 1.0)], [(1, 0.3), (2, 0.9)])[i % 3] for i in range(rows)]
    counts = torch.tensor([len(row) for row in picked])
    flat = [pair for row in picked for pair in row]
    return SparseColumn(
        torch.tensor([label for label, _ in flat]),
        torch.tensor([score for _, score in flat]),
        torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]),
        size=7,
    )


def examples(rows: int = N) -> list[Example]:
    return [Example(str(i), {"images": (f"{i % IMAGES}.png",)}) for i in range(rows)]


def dataset(hiding: Hiding | None = None, **given: Any) -> HiddenDataset:
    streams = {"text": texts(), "regions": regions()} | given.pop("streams", {})
    return HiddenDataset(examples(), streams, answers(), hiding or Hiding(HEADS), **given)


def everything(data: HiddenDataset, visit: tuple[int, int] | None = None) -> Batch:
    data.visit = visit
    return data.batch(torch.arange(len(data)))


def originals() -> tuple[Text, Regions]:
    all_rows = torch.arange(N)
    text, seen = texts().gather(all_rows), regions().gather(all_rows)
    assert seen.index is not None
    rows = seen.index[:, 0]
    return text, replace(seen, index=None).map(lambda t: t[rows])


@pytest.fixture(scope="module")
def batch() -> Batch:
    return everything(dataset())


def equal(first: Batch, second: Batch) -> bool:
    assert first.text is not None
    assert second.text is not None
    return torch.equal(first.text.input_ids, second.text.input_ids) and all(
        torch.equal(first.targets[key], second.targets[key]) for key in first.targets
    )


def near(share: float, expected: float, cases: int) -> bool:
    """Within four standard deviations of a share of so many cases."""
    return abs(share - expected) < 4 * (expected * (1 - expected) / cases) ** 0.5


def own_words(batch: Batch) -> Tensor:
    """(B, T) the pieces before hiding: those that are asked, else those that stand there."""
    assert batch.text is not None
    return torch.where(batch.targets["words"] >= 0, batch.targets["words"], batch.text.input_ids)


def test_an_example_is_hidden_alike_alone_and_among_others(batch: Batch) -> None:
    data = dataset()
    for i in (0, 17, 599):
        alone = data.batch(torch.tensor([i]))
        assert alone.text is not None
        assert batch.text is not None
        length = alone.text.input_ids.shape[1]
        assert torch.equal(alone.text.input_ids[0], batch.text.input_ids[i, :length])
        assert torch.equal(alone.targets["words"][0], batch.targets["words"][i, :length])
        for key in ("matched", "answer", "answer_weight"):
            assert torch.equal(alone.targets[key][0], batch.targets[key][i])
        assert alone.regions is not None
        assert batch.regions is not None
        real = alone.regions.features.shape[1]
        assert torch.equal(alone.regions.features[0], batch.regions.features[i, :real])


def test_held_out_examples_stay_as_they_are_and_training_ones_change_with_epoch_and_seed() -> None:
    data = dataset()
    assert equal(everything(data), everything(data))
    first = everything(data, (0, 10))
    assert equal(first, everything(dataset(), (0, 10)))  # another process, or after a resume
    for other in (None, (0, 11), (1, 10)):
        assert not equal(first, everything(data, other))


def test_fifteen_per_cent_of_the_words_are_hidden_and_never_the_ends(batch: Batch) -> None:
    assert batch.text is not None
    mask, hidden = batch.text.attention_mask, batch.targets["words"] >= 0
    words = int((mask.sum(1) - 2).sum())
    assert near(float(hidden.sum()) / words, 0.15, words)
    assert not hidden[:, 0].any()
    last = mask.sum(1) - 1
    assert not hidden[torch.arange(N), last].any()
    assert not (hidden & ~mask).any()
    assert (batch.text.input_ids[torch.arange(N), last] == SEP).all()


def test_of_the_hidden_words_eight_in_ten_are_masked_one_random_one_kept() -> None:
    kinds = []
    for epoch in range(8):
        batch = everything(dataset(), (0, epoch))
        assert batch.text is not None
        hidden = batch.targets["words"] >= 0
        shown, own = batch.text.input_ids[hidden], batch.targets["words"][hidden]
        kinds.append(torch.stack([shown == MASK, shown == own], 1).float())
        assert (own >= 10).all()
        others = shown[(shown != MASK) & (shown != own)]
        assert others.min() < 10  # any piece of the vocabulary, also a special one
        assert others.max() >= 80
    shares = torch.cat(kinds).mean(0)
    count = sum(map(len, kinds))
    assert near(float(shares[0]), 0.8 + 0.1 / VOCABULARY, count)
    assert near(float(shares[1]), 0.1 + 0.1 / VOCABULARY, count)


def test_half_of_the_sentences_are_another_images_and_have_no_answer(batch: Batch) -> None:
    matched = batch.targets["matched"].bool()
    assert near(float(matched.float().mean()), 0.5, N)
    row_of = {tuple(row[row > 0].tolist()): i for i, row in enumerate(originals()[0].input_ids)}
    assert len(row_of) == N  # no two sentences are alike
    shown = torch.tensor([row_of[tuple(row[row > 0].tolist())] for row in own_words(batch)])
    assert torch.equal(shown[matched], torch.arange(N)[matched])
    assert (shown % IMAGES != torch.arange(N) % IMAGES)[~matched].all()
    assert (batch.targets["answer"][~matched] == -1).all()
    labelled = torch.arange(N) % 3 > 0
    assert (batch.targets["answer"][matched & labelled] >= 0).all()
    assert (batch.targets["answer"][~labelled] == -1).all()


def test_without_matching_no_sentence_is_exchanged() -> None:
    batch = everything(dataset(Hiding(("words", "answer"))))
    assert set(batch.targets) == {"words", "answer", "answer_weight"}
    assert torch.equal(own_words(batch), originals()[0].input_ids)


def test_exchanging_sentences_of_one_image_is_refused() -> None:
    one = [Example(str(i), {"images": ("a.png",)}) for i in range(4)]
    with pytest.raises(DataError, match="all examples show one image"):
        HiddenDataset(one, {"text": texts(4), "regions": regions(4)}, None, Hiding(("words", "matched")))


def test_a_tokenizer_without_a_mask_is_refused() -> None:
    bare = texts()
    bare.mask_id = None
    with pytest.raises(DataError, match=r"\[MASK\]"):
        dataset(streams={"text": bare})


def test_fifteen_per_cent_of_the_regions_are_hidden_and_asked_with_their_own_features(batch: Batch) -> None:
    _, seen = originals()
    assert batch.regions is not None
    mask = seen.attention_mask
    assert mask is not None
    hidden = batch.targets["features_weight"] > 0
    count = int(mask.sum())
    assert near(float(hidden.sum()) / count, 0.15, count)
    assert not (hidden & ~mask).any()
    assert torch.equal(batch.targets["features"], seen.features)
    assert torch.equal(batch.regions.boxes, seen.boxes)
    assert torch.equal(batch.regions.features[~hidden], seen.features[~hidden])
    zero = (batch.regions.features == 0).all(-1) & hidden
    kept = (batch.regions.features == seen.features).all(-1) & hidden
    assert near(float(zero.sum()) / int(hidden.sum()), 0.8, int(hidden.sum()))
    assert near(float(kept.sum()) / int(hidden.sum()), 0.1, int(hidden.sum()))
    others = batch.regions.features[hidden & ~zero & ~kept]
    real = {tuple(row.tolist()) for row in seen.features[mask]}
    assert len(others) > 5
    assert all(tuple(row.tolist()) in real for row in others)
    torch.testing.assert_close(batch.targets["features_weight"][hidden], torch.full((int(hidden.sum()),), 1 / 0.15))


def test_the_papers_regions_are_zero_wherever_they_are_hidden() -> None:
    batch = everything(dataset(Hiding(HEADS, regions="zero")))
    assert batch.regions is not None
    hidden = batch.targets["features_weight"] > 0
    assert (batch.regions.features[hidden] == 0).all()


@pytest.mark.parametrize("on", ["all", "masked"])
@pytest.mark.parametrize("confidence", [True, False])
def test_classes_count_as_the_options_say(on: Any, confidence: bool) -> None:
    batch = everything(dataset(Hiding(HEADS, visual_loss_on=on, visual_loss_confidence=confidence)))
    _, seen = originals()
    assert seen.labels is not None
    assert seen.confidences is not None
    asked = seen.labels >= 0
    if on == "masked":
        asked = asked & (batch.targets["features_weight"] > 0)
    sure = seen.confidences if confidence else torch.ones_like(seen.confidences)
    torch.testing.assert_close(batch.targets["objects_weight"], torch.where(asked, sure / 0.15, 0.0))
    assert torch.equal(batch.targets["objects"], seen.labels)
    assert torch.equal(batch.targets["attributes"], seen.attributes)


def test_named_regions_take_the_place_of_detected_ones() -> None:
    objects = torch.arange(IMAGES * 5).view(IMAGES, 5) % 4
    named = NamedRegions(objects, torch.zeros_like(objects), torch.arange(N) % IMAGES)
    batch = everything(dataset(streams={"regions": regions(detected=False)}, named=named))
    assert torch.equal(batch.targets["objects"], named.objects[torch.arange(N) % IMAGES])
    mask = originals()[1].attention_mask
    assert mask is not None
    assert torch.equal(batch.targets["objects_weight"] > 0, mask)
    with pytest.raises(DataError, match="no detected objects, attributes"):
        everything(dataset(streams={"regions": regions(detected=False)}))


def test_of_several_answers_one_is_drawn_by_its_score() -> None:
    drawn = [everything(dataset(Hiding(("answer",))), (0, epoch)).targets["answer"] for epoch in range(8)]
    two = torch.stack(drawn)[:, torch.arange(N) % 3 == 2]
    assert set(two.flatten().tolist()) == {1, 2}
    assert near(float((two == 2).float().mean()), 0.75, two.numel())
    one = drawn[0][torch.arange(N) % 3 == 1]
    assert one.tolist() == [i % 7 for i in range(N) if i % 3 == 1]


def test_answers_are_asked_from_their_epoch_on_with_their_weight() -> None:
    data = dataset(Hiding(("words", "answer"), answers_from_epoch=2, answer_weight=3.0))
    asked = np.arange(N) % 3 > 0
    for visit, weight in (((0, 1), 0.0), ((0, 2), 3.0), (None, 1.0)):
        weights = everything(data, visit).targets["answer_weight"].numpy()
        assert (weights[asked] == weight).all()
        assert (weights[~asked] == 0).all()


def test_words_are_hidden_without_any_regions() -> None:
    data = HiddenDataset(examples(), {"text": texts()}, None, Hiding(("words",)))
    batch = everything(data)
    assert batch.regions is None
    assert set(batch.targets) == {"words"}
    assert (batch.targets["words"] >= 0).any()
