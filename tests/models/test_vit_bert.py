"""ViT-BERT and ViT-LSTM: sizes of the sheet, what concatenation can and cannot know, bad input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from chiasm.batch import Batch, Images, Output, Text
from chiasm.models import vit_bert, vit_lstm
from chiasm.models.vit_bert import VitBert
from chiasm.models.vit_lstm import VitLstm
from chiasm.objectives.answers import one_answer

TOWER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
VISION = {**TOWER, "patch_size": 4, "initializer_range": 0.3}
LANGUAGE = {**TOWER, "max_position_embeddings": 12, "initializer_range": 0.3}
ONE, BOTH = {"answer": one_answer}, {"answer": one_answer, "rationale": one_answer}


def model(objectives: dict[str, Any] = ONE, **options: Any) -> VitBert:
    torch.manual_seed(0)
    config = vit_bert.Config(vocab_size=40, image_size=16, vision=VISION, language=LANGUAGE, head_size=24)
    return VitBert(replace(config, num_labels=5, initializer_range=0.3, **options), objectives).eval()


def lstm(objectives: dict[str, Any] = ONE, **options: Any) -> VitLstm:
    torch.manual_seed(0)
    config = vit_lstm.Config(vocab_size=40, image_size=16, vision=VISION, word_size=6, hidden_size=10, head_size=24)
    return VitLstm(replace(config, num_labels=5, initializer_range=0.3, **options), objectives).eval()


def pictures(count: int) -> Tensor:
    return torch.sin(torch.arange(count * 3 * 16 * 16).float() * 0.37).view(count, 3, 16, 16)


def texts(count: int) -> Text:
    ids = (torch.arange(count * 5) * 7 % 36 + 4).view(count, 5)
    ids[::2, 4] = 0
    return Text(ids, ids != 0)


def question(images: int = 1, examples: int = 3) -> Batch:
    index = torch.arange(examples * images).view(examples, images)
    return Batch(text=texts(examples), images=Images(pictures(examples * images), index=index))


def choices(each: int = 4, examples: int = 2) -> Batch:
    rows = replace(texts(examples * each), index=torch.arange(examples * each).view(examples, each))
    return Batch(images=Images(pictures(examples)), more={"choices": rows})


def with_other_images(batch: Batch) -> Batch:
    assert batch.images is not None
    return replace(batch, images=replace(batch.images, pixel_values=batch.images.pixel_values.flip(0) * 0.5))


@torch.no_grad()
def scores(of: VitBert | VitLstm, batch: Batch) -> dict[str, Tensor]:
    return dict(of(batch).scores)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({"num_labels": 3129}, 200_090_169),
        ({"num_choices": 4}, 195_282_433),
        ({"num_labels": 2, "num_images": 2}, 195_287_042),
    ],
)
def test_full_size_has_the_parameters_of_the_sheet(options: dict[str, Any], parameters: int) -> None:
    """Sheet `vit_bert`, section 5: linear heads, ViT at 224 without pooler, BERT with its pooler or 590,592 less."""
    with torch.device("meta"):
        pooled = VitBert(vit_bert.Config(text_pooler=True, **options), ONE)
        plain = VitBert(vit_bert.Config(**options), ONE)
    assert sum(p.numel() for p in pooled.parameters()) == parameters
    assert sum(p.numel() for p in plain.parameters()) == parameters - 590_592


def test_the_lstm_has_the_parameters_of_the_sheet() -> None:
    with torch.device("meta"):
        beside = VitLstm(vit_lstm.Config(), ONE).lstm
        first = VitLstm(vit_lstm.Config(image_first=True), ONE).lstm
    assert sum(p.numel() for p in first.parameters()) == 3_287_040
    assert sum(p.numel() for p in beside.parameters()) == 3_287_040 + 4 * 768 * 768


def test_with_a_linear_head_the_image_cancels_among_choices() -> None:
    linear, batch = model(num_choices=4), choices()
    before, after = (scores(linear, b)["answer"] for b in (batch, with_other_images(batch)))
    assert not torch.allclose(before, after, atol=1e-2)  # the scores do change ...
    torch.testing.assert_close(before.softmax(-1), after.softmax(-1), atol=1e-6, rtol=0)  # ... all by as much


def test_with_a_perceptron_the_image_decides_among_choices() -> None:
    perceptron, batch = model(num_choices=4, mlp_head=True), choices()
    before, after = (scores(perceptron, b)["answer"].softmax(-1) for b in (batch, with_other_images(batch)))
    assert (before - after).abs().max() > 0.02


def test_with_a_linear_head_answers_add_up_from_image_and_text() -> None:
    linear, batch = model(), question()
    assert batch.text is not None
    other_text = replace(batch, text=replace(batch.text, input_ids=batch.text.input_ids.flip(0)))
    both = replace(with_other_images(batch), text=other_text.text)
    a, b, c, d = (scores(linear, x)["answer"] for x in (batch, other_text, with_other_images(batch), both))
    torch.testing.assert_close(d - c, b - a, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(a, c, atol=1e-2)


def test_text_and_image_are_read_apart_by_bert_and_together_by_the_lstm() -> None:
    batch = question()
    late = [model()(b).states["text"] for b in (batch, with_other_images(batch))]
    early = [lstm()(b).states["text"] for b in (batch, with_other_images(batch))]
    assert torch.equal(*late)
    assert not torch.allclose(*early, atol=1e-3)


@pytest.mark.parametrize("build", [model, lstm])
def test_the_order_of_two_images_matters_and_pairs_repeat_the_text(build: Any) -> None:
    batch = question(images=2)
    assert batch.images is not None
    assert batch.images.index is not None
    turned = replace(batch, images=replace(batch.images, index=batch.images.index.flip(1)))
    for options in ({}, {"triplet": True}):
        two = build(num_images=2, **options)
        assert not torch.allclose(scores(two, batch)["answer"], scores(two, turned)["answer"], atol=1e-3)
    size = 16 if build is model else 10
    assert build(num_images=2)(batch).states["joined"].shape == (3, 1, 2 * (16 + size))
    assert build(num_images=2, triplet=True)(batch).states["joined"].shape == (3, 1, 2 * 16 + size)


def test_the_triplet_holds_both_images_then_the_text() -> None:
    two = model(num_images=2, triplet=True)
    batch = question(images=2)
    states = two(batch).states
    assert batch.images is not None
    assert two.vision is not None
    vectors = two.vision(Images(batch.images.pixel_values))
    expected = torch.cat([vectors.view(3, 32), states["text"][:, 0]], 1)
    torch.testing.assert_close(states["joined"][:, 0], expected)


@pytest.mark.parametrize("build", [model, lstm])
def test_images_are_encoded_once_however_many_examples_share_them(build: Any) -> None:
    shared = Batch(text=texts(4), images=Images(pictures(2), index=torch.tensor([[0], [1], [1], [0]])))
    repeated = Batch(text=texts(4), images=Images(pictures(2)[[0, 1, 1, 0]]))
    one = build()
    seen: list[int] = []
    one.vision.register_forward_pre_hook(lambda _, given: seen.append(given[0].num_rows))
    torch.testing.assert_close(scores(one, shared)["answer"], scores(one, repeated)["answer"])
    assert seen == [2, 4]


@pytest.mark.parametrize("build", [model, lstm])
def test_each_question_asked_has_a_head_and_rationales_may_be_given_for_every_answer(build: Any) -> None:
    both = build(BOTH, num_choices=4, mlp_head=True)
    given, all_of_them = (scores(both, choices(each)) for each in (8, 20))
    assert {head: tuple(s.shape) for head, s in given.items()} == {"answer": (2, 4), "rationale": (2, 4)}
    assert all_of_them["rationale"].shape == (2, 16)
    with pytest.raises(ValueError, match=r"4 texts an example for 2 heads \(answer, rationale\) of 4 choices"):
        both(choices(4))


def test_vectors_computed_before_give_the_same_answer_without_the_encoders() -> None:
    one, batch = model(mlp_head=True), question()
    vectors = one.vectors(batch)
    called: list[str] = []
    one.vision.register_forward_pre_hook(lambda *_: called.append("vision"))  # type: ignore[union-attr]
    one.language.register_forward_pre_hook(lambda *_: called.append("language"))
    assert torch.equal(scores(one, Batch(more=vectors))["answer"], one(batch).scores["answer"])
    only_image = replace(batch, images=None, more={"image_vectors": vectors["image_vectors"]})
    called.clear()
    torch.testing.assert_close(scores(one, only_image)["answer"], one(batch).scores["answer"])
    assert called == ["language", "language", "vision"]


def test_frozen_encoders_get_no_gradient_and_stay_in_evaluation_mode() -> None:
    frozen = model(freeze=True).train()
    frozen(question()).scores["answer"].sum().backward()
    trained = {name for name, p in frozen.named_parameters() if p.grad is not None}
    assert trained == {"heads.heads.answer.weight", "heads.heads.answer.bias"}
    assert frozen.idle_parameters() == {name for name, _ in frozen.named_parameters()} - trained
    assert not frozen.language.training
    assert frozen.heads.training


def test_equation_10s_norm_and_the_poolers_are_options() -> None:
    batch = question()
    plain, normed, pooled = model(), model(text_norm=True), model(text_pooler=True)
    states = [m(batch).states["text"] for m in (plain, normed, pooled)]
    torch.testing.assert_close(states[1], torch.nn.functional.layer_norm(states[0], (16,)))
    assert states[2].abs().max() < 1
    projected = model(image_projection=6)
    assert projected(batch).states["joined"].shape == (3, 1, 6 + 16)


def test_the_question_only_baseline_does_not_look() -> None:
    blind, batch = model(use_images=False), question()
    assert torch.equal(scores(blind, batch)["answer"], scores(blind, replace(batch, images=None))["answer"])


def test_a_model_with_images_can_begin_as_the_question_only_model() -> None:
    """Its map of y_img begins at zero; the place of y_img is there, and zero, in the question-only model."""
    shape = {"mlp_head": True, "image_projection": 6}
    blind = model(use_images=False, **shape)
    seeing = model(zero_projection=True, **shape)
    seeing.language.load_state_dict(blind.language.state_dict())
    seeing.heads.load_state_dict(blind.heads.state_dict())
    asked = question()
    torch.testing.assert_close(scores(seeing, asked)["answer"], scores(blind, asked)["answer"])
    torch.nn.functional.cross_entropy(seeing(asked).scores["answer"], torch.tensor([0, 1, 2])).backward()
    assert seeing.projection.weight.grad.abs().sum() > 0  # it can learn to see
    with pytest.raises(ValueError, match="image_projection, whose size is not given"):
        model(zero_projection=True)


@pytest.mark.parametrize("build", [model, lstm])
def test_what_does_not_fit_is_refused_with_the_reason(build: Any) -> None:
    with pytest.raises(ValueError, match=r"reads 2 image\(s\) per example, the batch has 3"):
        build(num_images=2)(question(images=3))
    with pytest.raises(ValueError, match=r"add an \[images\] section"):
        build()(replace(question(), images=None))
    with pytest.raises(ValueError, match=r"add a \[text\] section"):
        build()(replace(question(), text=None))
    with pytest.raises(ValueError, match=r"add a \[choices\] section"):
        build(num_choices=4)(question())
    with pytest.raises(ValueError, match=r"32 x 32 pixels for an encoder of 16"):
        build()(replace(question(), images=Images(torch.zeros(3, 3, 32, 32))))


def test_a_text_longer_than_the_positions_is_refused() -> None:
    long = Text(torch.ones(3, 200, dtype=torch.int64), torch.ones(3, 200, dtype=torch.bool))
    with pytest.raises(ValueError, match="200 word pieces is longer than the model's 12 positions"):
        model()(replace(question(), text=long))


def test_one_word_is_enough() -> None:
    word = Text(torch.tensor([[2], [3], [4]]), torch.ones(3, 1, dtype=torch.bool))
    output: Output = model()(replace(question(), text=word))
    assert output.scores["answer"].isfinite().all()


def test_a_bundles_config_names_no_place_from_which_weights_came(tmp_path: Any) -> None:
    from transformers import ViTConfig, ViTModel

    ViTModel(ViTConfig(**VISION, image_size=16)).save_pretrained(tmp_path)
    config = model(vision_weights=str(tmp_path)).config
    assert config.vision_weights == ""
    assert config.vision["patch_size"] == 4
    again = VitBert(config, ONE)
    assert {n: p.shape for n, p in again.named_parameters()} == {n: p.shape for n, p in model().named_parameters()}
