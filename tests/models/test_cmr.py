"""CMR: the sheet's sizes, one image or two, ablations, what gets no gradient, bad input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from chiasm.batch import Batch, Regions, Text
from chiasm.models.cmr import Cmr, Config
from chiasm.models.lxmert import Encoder
from chiasm.objectives.answers import one_answer

SMALL = Config(
    vocab_size=30,
    feature_size=5,
    num_labels=3,
    hidden_size=16,
    num_attention_heads=2,
    intermediate_size=24,
    language_layers=1,
    object_layers=1,
    cross_layers=1,
    max_words=12,
    max_regions=10,
    max_position_embeddings=16,
    affinity="dot_scaled",
    classifier_sizes=(24, 12, 8),
    initializer_range=0.2,
)


def model(**options: Any) -> Cmr:
    torch.manual_seed(0)
    return Cmr(replace(SMALL, **options), {"answer": one_answer}).eval()


def batch(images: int = 2, examples: int = 3, words: int = 8, regions: int = 10) -> Batch:
    ids = torch.arange(examples * words).view(examples, words) * 7 % 25 + 3
    mask = torch.ones(examples, words, dtype=torch.bool)
    mask[0, 6:] = False
    rows = examples * images
    features = torch.sin(torch.arange(rows * regions * 5).float() * 0.7).view(rows, regions, 5)
    corners = torch.rand(rows, regions, 2, generator=torch.Generator().manual_seed(0)) / 2
    seen = Regions(features, torch.cat([corners, corners + 0.4], -1), index=torch.arange(rows).view(examples, images))
    return Batch(text=Text(ids, mask), regions=seen, targets={"answer": torch.arange(examples) % 3})


def test_the_encoders_have_the_parameters_of_the_sheet() -> None:
    """Sheet `cmr`, section 3.2: BERT-12, 5 object layers, 5 of LXMERT's cross layers; about 230 M in the paper."""
    with torch.device("meta"):
        encoder = Encoder(Config().encoder())
        full = Cmr(Config(), {"answer": one_answer})
    assert sum(p.numel() for p in encoder.parameters()) == 229_200_384
    assert 256e6 < sum(p.numel() for p in full.parameters()) < 265e6


@pytest.mark.parametrize(("images", "count"), [(1, 2), (2, 6), (3, 12), (4, 20)])
def test_the_text_is_related_to_every_image_and_every_image_to_every_other(images: int, count: int) -> None:
    """One of entities and one of relations for each: S + S (S - 1) / 2 of a kind."""
    output = model(num_images=images)(batch(images))
    assert output.states["relevances"].shape == (3, count * 16)
    assert output.scores["answer"].shape == (3, 3)


@pytest.mark.parametrize("missing", ["entity_relevance", "relation_relevance"])
def test_an_ablation_leaves_half_of_the_relevances(missing: str) -> None:
    assert model(**{missing: False})(batch()).states["relevances"].shape == (3, 3 * 16)
    assert model(cross_layers=0)(batch()).states["relevances"].shape == (3, 6 * 16)
    with pytest.raises(ValueError, match="nothing to classify"):
        model(entity_relevance=False, relation_relevance=False)


def test_padding_changes_no_answer_unless_it_takes_part_as_in_the_paper() -> None:
    given = batch()
    assert given.text is not None
    longer = torch.nn.functional.pad(given.text.input_ids, (0, 3), value=9)
    text = replace(
        given.text, input_ids=longer, attention_mask=torch.nn.functional.pad(given.text.attention_mask, (0, 3))
    )
    padded = replace(given, text=text)
    for options in ({}, {"relation_relevance": False}):
        one = model(**options)
        torch.testing.assert_close(one(given).scores["answer"], one(padded).scores["answer"], atol=1e-5, rtol=1e-5)
    literal = model(mask_padding=False)
    assert not torch.allclose(literal(given).scores["answer"], model()(given).scores["answer"], atol=1e-4)


def test_both_images_and_their_order_matter() -> None:
    one, given = model(), batch()
    assert given.regions is not None
    assert given.regions.index is not None
    turned = replace(given, regions=replace(given.regions, index=given.regions.index.flip(1)))
    assert not torch.allclose(one(given).scores["answer"], one(turned).scores["answer"], atol=1e-4)


@torch.no_grad()
def test_relevances_of_three_images_are_those_of_their_pairs() -> None:
    """Example by example: 3 text-image of entities, 3 of relations, then images (0, 1), (0, 2), (1, 2) of either."""
    three, given = model(num_images=3), batch(3)
    two = model(num_images=2, classifier_sizes=(24, 12, 8))
    shared = {n: t for n, t in three.state_dict().items() if not n.startswith("classifier.0.")}
    two.load_state_dict({**shared, **{n: t for n, t in two.state_dict().items() if n.startswith("classifier.0.")}})
    found = three(given).states["relevances"].unflatten(1, (12, 16))
    assert given.regions is not None
    assert given.regions.index is not None
    for place, pair in enumerate([[0, 1], [0, 2], [1, 2]]):
        regions = replace(given.regions, index=given.regions.index[:, pair])
        expected = two(replace(given, regions=regions)).states["relevances"].unflatten(1, (6, 16))
        mine = found[:, [*pair, *(3 + p for p in pair), 6 + place, 9 + place]]
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("changed", "kept"), [(0, (1, 2)), (1, (0, 2)), (2, (0, 1))])
@torch.no_grad()
def test_an_image_changes_the_relevances_that_it_is_in_and_no_other(changed: int, kept: tuple[int, int]) -> None:
    three, given = model(num_images=3), batch(3)
    assert given.regions is not None
    features = given.regions.features.clone()
    features[changed::3] += torch.linspace(-1, 1, 5)
    other = replace(given, regions=replace(given.regions, features=features))
    before, after = (three(b).states["relevances"].unflatten(1, (12, 16)) for b in (given, other))
    between = {(0, 1): 0, (0, 2): 1, (1, 2): 2}[kept]
    same = {*kept, *(3 + image for image in kept), 6 + between, 9 + between}
    for place in range(12):
        assert torch.allclose(before[:, place], after[:, place], atol=1e-6) is (place in same), place


def test_what_gets_no_gradient_is_declared() -> None:
    for gate in ("none", "score"):
        one = model(relation_gate=gate)
        one.losses(one(batch()), batch())["answer"].backward()
        without = {name for name, p in one.named_parameters() if p.grad is None or not p.grad.any()}
        assert without == one.idle_parameters()
        assert ("text_side.score.0.weight" in without) is (gate == "none")
        assert any(name.startswith("encoder.language_layers.") for name in without)


def test_the_frozen_text_encoder_stays_in_evaluation_mode() -> None:
    one = model().train()
    assert not one.encoder.language_layers.training
    assert one.encoder.object_layers.training
    assert model(freeze_text=False).train().encoder.language_layers.training


def test_affinities_and_the_ranking_of_words_are_evidence() -> None:
    from chiasm.layers.recording import record

    one = model()
    with record(one) as seen:
        one(batch())
    (affinity,), (ranking,) = seen["text_image.tap"], seen["text_side.tap"]
    assert affinity.shape == (6, 1, 12, 10)
    assert ranking.shape == (6, 1, 12, 12)
    assert not ranking.tril().any()
    assert not affinity[:2, :, 6:].any()  # padding of the first text
    assert [e.key for e in one.evidence() if e.kind == "affinity"] == ["regions", "regions"]
    assert [e.key for e in one.evidence() if e.kind == "ranking"] == ["text", "regions"]


def test_what_does_not_fit_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match=r"reads 2 image\(s\) per example, the batch has 3"):
        model()(batch(images=3))
    with pytest.raises(ValueError, match="num_images is 0; CMR reads at least one image"):
        model(num_images=0)
    with pytest.raises(ValueError, match="16 word pieces and 10 regions for a model of 12 and 10"):
        model()(batch(words=16))
    with pytest.raises(ValueError, match="CMR needs text and regions"):
        model()(replace(batch(), regions=None))
    one_word = batch(words=7)
    assert model()(one_word).scores["answer"].isfinite().all()
