"""The released CMR: the sheet's sizes, the published forward pass literally, what gets no gradient, its quirks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from chiasm.batch import Batch, Text
from chiasm.layers.recording import record
from chiasm.models.cmr_released import BestPairs, CmrReleased, Config, PairMlp, PairSum
from chiasm.objectives.answers import one_answer
from chiasm.weights._cmr_names import published_names
from chiasm.weights._renaming import rename_in

from .published_cmr import FEATURES, SIZE, SMALL, asked, batch, filled, small

LAYERS = (2, 1, 2)
PARTS_OF_THE_SHEET = {
    "classifier": 11_954_498,
    "text_side.vectors": 3_541_248,
    "unused_pairs": 3_541_248,
    "image_halves.cnn.output": 1_204_992,
    "pooled.cnn.output": 615_168,
    "text_image.cnn.output": 516_864,
    "relations.cnn.output": 393_984,
    "text_side.scores": 369_409,
    "image_side.scores": 369_409,
    "image_side.vectors": 0,
    "text_image.cnn.convolutions.0": 160,
    "text_image.cnn.convolutions.1": 4_640,
    "image_halves.cnn.convolutions.0": 160,
    "image_halves.cnn.convolutions.1": 4_640,
    "pooled.cnn.convolutions": 320,
    "relations.cnn.convolutions": 320,
}
HEADS_OF_THE_SHEET = {"pooled": 592_128, "image_halves": 592_128, "text_image": 3_544_320, "relations": 3_544_320}


@pytest.fixture(scope="module")
def theirs() -> Any:
    return small()


def config(**options: Any) -> Config:
    sizes = {**SMALL, "feature_size": FEATURES, "num_attention_heads": 4, "classifier_sizes": (40, 24, 12)}
    layers = dict(zip(("language_layers", "object_layers", "cross_layers"), LAYERS, strict=True))
    return Config(**{**sizes, **layers, **options})


@pytest.fixture(scope="module")
def ours(theirs: Any) -> CmrReleased:
    """With the published weights."""
    model = CmrReleased(config(), {"answer": one_answer})
    model.load_state_dict(rename_in(theirs.published_state(), published_names(*LAYERS)))
    return model.eval()


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def full() -> CmrReleased:
    with torch.device("meta"):
        return CmrReleased(Config(), {"answer": one_answer})


def test_the_model_has_the_parameters_of_the_published_one(full: CmrReleased) -> None:
    """Sheet `cmr`, section 7."""
    assert parameters(full) == 238_726_724
    assert parameters(full.encoder) == 207_936_768
    assert parameters(full) - parameters(full.encoder) == 30_789_956


@pytest.mark.parametrize("part", PARTS_OF_THE_SHEET)
def test_every_part_has_the_parameters_of_the_sheet(full: CmrReleased, part: str) -> None:
    assert parameters(full.get_submodule(part)) == PARTS_OF_THE_SHEET[part]


@pytest.mark.parametrize("branch", HEADS_OF_THE_SHEET)
def test_every_head_of_a_relevance_has_the_parameters_of_the_sheet(full: CmrReleased, branch: str) -> None:
    parts = (full.get_submodule(f"{branch}.{part}") for part in ("hidden", "norm", "output"))
    assert sum(map(parameters, parts)) == HEADS_OF_THE_SHEET[branch]


@torch.no_grad()
def test_the_answer_equals_the_published_code_written_literally(theirs: Any, ours: CmrReleased) -> None:
    given = batch()
    expected = asked(theirs, given)
    assert expected.std(0).min() > 1e-3  # the examples are answered differently
    torch.testing.assert_close(ours(given).scores["answer"], expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_each_relevance_equals_the_published_code(theirs: Any, ours: CmrReleased) -> None:
    given = batch()
    seen = {}
    hooks = [
        getattr(theirs, f"logit_fc{n}").register_forward_hook(lambda _, __, out, n=n: seen.update({n: out}))
        for n in (1, 2, 3, 4)
    ]
    asked(theirs, given)
    for hook in hooks:
        hook.remove()
    found = ours(given).states["relevances"].split(SIZE, 1)
    for place, mine in enumerate(found):
        assert seen[place + 1].std(0).max() > 1e-2
        torch.testing.assert_close(mine, seen[place + 1], atol=1e-5, rtol=1e-5)


def test_gradients_equal_the_published_code(theirs: Any, ours: CmrReleased) -> None:
    given = batch()
    theirs.zero_grad()
    ours.zero_grad()
    ours.losses(ours(given), given)["answer"].backward()
    nn.functional.cross_entropy(asked(theirs, given), given.targets["answer"]).backward()
    own = {name: p.grad for name, p in theirs.named_parameters() if not name.startswith("encoder.")}
    names = published_names(*LAYERS)
    compared = 0
    for name, parameter in ours.named_parameters():
        if name.startswith("encoder."):
            continue
        (published,) = names[name]
        assert (parameter.grad is None) is (own[published] is None), name
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, own[published], atol=1e-5, rtol=1e-3, msg=name)
            compared += 1
    assert compared == 70 - 16  # of 70 tensors beside the encoder, two rankings of six and one MLP of four have none
    words = theirs.encoder.encoder.layer[0].attention.self.query.weight.grad
    mine = ours.encoder.language_layers[0].self_attention.attention.qkv.weight.grad  # type: ignore[union-attr]
    torch.testing.assert_close(mine[:SIZE], words, atol=1e-5, rtol=1e-3)


def test_what_ranks_pairs_and_what_is_unused_gets_no_gradient_and_says_so() -> None:
    model = filled(CmrReleased(config(), {"answer": one_answer}))
    given = batch()
    model.losses(model(given), given)["answer"].backward()
    assert {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()} == model.idle_parameters()
    never = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is None}
    assert never == {"text_side", "image_side", "unused_pairs"}


def test_the_chosen_pairs_are_the_same_in_any_order(ours: CmrReleased) -> None:
    x = torch.randn(2, 36, SIZE, generator=torch.Generator().manual_seed(0))
    one = ours.image_side
    other = BestPairs(PairSum(), SIZE, 36, top_k=10, in_order=False)
    other.load_state_dict(one.state_dict())
    best, unordered = one(x, None), other(x, None)
    scores = one.scores(best)[..., 0]
    assert (scores.diff(dim=1) <= 0).all()
    for row in range(2):
        assert {tuple(v.tolist()) for v in best[row]} == {tuple(v.tolist()) for v in unordered[row]}


@torch.no_grad()
def test_pairs_of_regions_that_are_not_there_take_no_place(ours: CmrReleased) -> None:
    x = torch.randn(2, 36, SIZE, generator=torch.Generator().manual_seed(1))
    there = torch.arange(36).expand(2, 36) < 6  # 15 pairs
    torch.testing.assert_close(ours.image_side(x, there), ours.image_side(x[:, :6], None))


def test_all_pairs_of_words_at_once_equal_them_one_by_one() -> None:
    torch.manual_seed(0)
    mlp, x = PairMlp(6), torch.randn(2, 5, 6)
    pairs = torch.tril_indices(5, 5, -1)
    one_by_one = mlp(x[:, pairs[0]], x[:, pairs[1]])
    torch.testing.assert_close(mlp.of_all(x, pairs), one_by_one)
    assert pairs.T.tolist()[:4] == [[1, 0], [2, 0], [2, 1], [3, 0]]


@torch.no_grad()
def test_the_image_view_reads_halves_of_regions_with_even_numbers(ours: CmrReleased) -> None:
    """Sheet `cmr`, section 10, trap 3: the published view is broken and kept so."""
    given: list[Any] = []
    hook = ours.image_halves.register_forward_pre_hook(lambda _, args: given.extend(args))
    statement = batch(1)
    objects = ours.encoder(statement.text, statement.regions)[1]  # (2, 36, D)
    ours(statement)
    hook.remove()
    both = torch.cat([objects[0], objects[1]])  # 72 regions
    for row in range(36):
        torch.testing.assert_close(given[0][0, row], both[2 * row, : SIZE // 2])
        torch.testing.assert_close(given[1][0, row], both[2 * row, SIZE // 2 :])


@torch.no_grad()
def test_padded_words_take_part_as_the_padding_word_whatever_stands_there(ours: CmrReleased) -> None:
    given = batch()
    assert given.text is not None
    text = given.text
    rubbish = replace(given, text=replace(text, input_ids=torch.where(text.attention_mask, text.input_ids, 9)))
    shorter = batch()[torch.tensor([1, 2])]
    assert shorter.text is not None
    cut = Text(shorter.text.input_ids[:, :9], shorter.text.attention_mask[:, :9])
    plain = ours(given).scores["answer"]
    torch.testing.assert_close(ours(rubbish).scores["answer"], plain, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(ours(replace(shorter, text=cut)).scores["answer"], plain[1:], atol=1e-5, rtol=1e-5)
    with record(ours) as seen:
        ours(given)
    assert seen["text_image.tap"][0][4, :, 3:].any()  # the third statement has three word pieces


@torch.no_grad()
def test_an_image_may_have_fewer_regions_than_the_published_36(ours: CmrReleased) -> None:
    given = batch()
    regions = given.regions
    assert regions is not None
    there = torch.ones(6, 36, dtype=torch.bool)
    there[:, 30:] = False
    there[1, 3:] = False  # three regions have three pairs
    hidden = replace(given, regions=replace(regions, attention_mask=there))
    features, boxes = regions.features[:, :30].clone(), regions.boxes[:, :30].clone()
    features[1, 3:], boxes[1, 3:] = 5, 0.5
    fewer = replace(regions, features=features, boxes=boxes, attention_mask=there[:, :30])
    plain = ours(hidden).scores["answer"]
    torch.testing.assert_close(ours(replace(given, regions=fewer)).scores["answer"], plain, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(plain, ours(given).scores["answer"], atol=1e-4)


@torch.no_grad()
def test_both_images_and_their_order_matter(ours: CmrReleased) -> None:
    given = batch()
    assert given.regions is not None
    assert given.regions.index is not None
    turned = replace(given, regions=replace(given.regions, index=given.regions.index.flip(1)))
    assert not torch.allclose(ours(given).scores["answer"], ours(turned).scores["answer"], atol=1e-4)


@torch.no_grad()
def test_affinities_and_scores_of_pairs_are_evidence(ours: CmrReleased) -> None:
    given = batch()
    with record(ours) as seen:
        ours(given)
    (affinity,), (words,), (regions,) = (seen[f"{n}.tap"] for n in ("text_image", "text_side", "image_side"))
    assert affinity.shape == (6, 1, 20, 36)
    assert words.shape == (6, 1, 20, 20)
    assert regions.shape == (6, 1, 36, 36)
    assert not words.tril().any()
    objects = ours.encoder(given.text, given.regions)[1]
    torch.testing.assert_close(regions[2, 0, 4, 7], ours.image_side.scores(objects[2, 4] + objects[2, 7])[0])
    assert {e.kind for e in ours.evidence()} == {"attention", "affinity", "ranking"}


def test_other_numbers_of_images_are_refused_and_the_model_for_them_is_named() -> None:
    for images in (1, 3):
        with pytest.raises(
            ValueError, match=f"num_images is {images}.* reads 2 images; the model cmr reads any number"
        ):
            CmrReleased(config(num_images=images), {})


def test_the_rest_of_the_model_begins_as_torch_has_it_and_the_encoder_as_bert() -> None:
    torch.manual_seed(0)
    model = CmrReleased(config(initializer_range=0.5), {})
    assert float(model.encoder.pooler.dense.weight.detach().std()) == pytest.approx(0.5, rel=0.1)
    bound = 1 / (2 * SIZE) ** 0.5  # torch's, of a linear layer
    weight = model.text_side.vectors.first.weight.detach()
    assert float(weight.abs().max()) == pytest.approx(bound, rel=0.02)
    assert float(model.classifier[0].bias.detach().abs().max()) > 0


def test_a_batch_is_answered_in_one_piece_or_in_parts(ours: CmrReleased) -> None:
    given: Batch = batch(4)
    together = ours(given).scores["answer"]
    for place in range(4):
        torch.testing.assert_close(ours(given[place]).scores["answer"][0], together[place], atol=1e-5, rtol=1e-5)
