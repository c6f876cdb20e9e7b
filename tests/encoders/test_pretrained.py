"""Encoders of transformers: taken over exactly where they are ViT or BERT, wrapped otherwise, whole or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModel,
    BertConfig,
    BertModel,
    DeiTConfig,
    DeiTModel,
    DistilBertConfig,
    ResNetConfig,
    ResNetModel,
    RobertaConfig,
    RobertaModel,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

from chiasm.batch import Images, Text
from chiasm.encoders.pooled_text import BertText
from chiasm.encoders.pretrained import TransformersImages, TransformersStates, image_encoder, text_encoder, vit_state
from chiasm.encoders.vit import VisionTransformer

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
VIT = {**SMALL, "image_size": 16, "patch_size": 4, "initializer_range": 0.3}
WORDS = {**SMALL, "vocab_size": 40, "max_position_embeddings": 12, "initializer_range": 0.3}


def saved(model: Any, folder: Path) -> str:
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    return str(folder)


def pictures(size: int = 16) -> Images:
    return Images(torch.sin(torch.arange(2 * 3 * size * size).float() * 0.37).view(2, 3, size, size))


def sentences() -> Text:
    ids = torch.tensor([[2, 7, 8, 9, 3], [2, 11, 3, 0, 0]])
    types = torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]])
    return Text(ids, ids != 0, types)


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_a_published_vit_gives_the_same_vectors_in_our_layers(tmp_path: Path, qkv_bias: bool) -> None:
    folder = saved(ViTModel(ViTConfig(**VIT, qkv_bias=qkv_bias)), tmp_path)
    ours, values = image_encoder({}, folder, image_size=16)
    assert isinstance(ours, VisionTransformer)
    theirs = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = theirs(pixel_values=pictures().pixel_values).last_hidden_state
    torch.testing.assert_close(ours.eval().states(pictures()), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours(pictures()), expected[:, 0], atol=1e-5, rtol=1e-5)
    assert values["model_type"] == "vit"


def test_a_classifiers_vit_is_taken_over_too(tmp_path: Path) -> None:
    folder = saved(ViTForImageClassification(ViTConfig(**VIT)), tmp_path)
    ours, _ = image_encoder({}, folder, image_size=16)
    theirs = ViTForImageClassification.from_pretrained(folder).vit.eval()
    with torch.no_grad():
        expected = theirs(pixel_values=pictures().pixel_values).last_hidden_state[:, 0]
    torch.testing.assert_close(ours.eval()(pictures()), expected, atol=1e-5, rtol=1e-5)


def test_larger_images_are_read_as_transformers_interpolates_positions(tmp_path: Path) -> None:
    folder = saved(ViTModel(ViTConfig(**VIT)), tmp_path)
    ours, _ = image_encoder({}, folder, image_size=32)
    theirs = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        outputs = theirs(pixel_values=pictures(32).pixel_values, interpolate_pos_encoding=True)
    torch.testing.assert_close(ours.eval()(pictures(32)), outputs.last_hidden_state[:, 0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("pooler", [True, False])
def test_a_published_bert_gives_the_same_vectors_in_our_layers(tmp_path: Path, pooler: bool) -> None:
    folder = saved(BertModel(BertConfig(**WORDS)), tmp_path)
    ours, _ = text_encoder({}, folder, vocab_size=40, pooler=pooler)
    assert isinstance(ours, BertText)
    theirs, text = AutoModel.from_pretrained(folder).eval(), sentences()
    with torch.no_grad():
        output = theirs(
            input_ids=text.input_ids, attention_mask=text.attention_mask.long(), token_type_ids=text.token_type_ids
        )
    expected = output.pooler_output if pooler else output.last_hidden_state[:, 0]
    torch.testing.assert_close(ours.eval()(text), expected, atol=1e-5, rtol=1e-5)


def test_resnet_is_wrapped_and_pooled_over_all_places(tmp_path: Path) -> None:
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    folder = saved(ResNetModel(config), tmp_path)
    ours, _ = image_encoder({}, folder, image_size=32)
    assert isinstance(ours, TransformersImages)
    theirs = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = theirs(pixel_values=pictures(32).pixel_values).pooler_output.flatten(1)
    torch.testing.assert_close(ours.eval()(pictures(32)), expected)
    assert ours.output_size == 16


def test_resnet_50_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        encoder, _ = image_encoder({"model_type": "resnet"}, image_size=224)
    assert sum(p.numel() for p in encoder.parameters()) == 23_508_032
    assert encoder.output_size == 2048


def test_batch_normalisation_can_stay_as_it_was() -> None:
    values = {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8], "depths": [1], "layer_type": "basic"}
    for trained in (True, False):
        encoder, _ = image_encoder(values, image_size=32, train_batch_norm=trained)
        encoder.train()
        before = {name: buffer.clone() for name, buffer in encoder.named_buffers()}
        encoder(pictures(32))
        changed = any(not torch.equal(before[name], buffer) for name, buffer in encoder.named_buffers())
        assert changed is trained


def test_other_encoders_give_the_state_of_their_first_position(tmp_path: Path) -> None:
    deit = saved(DeiTModel(DeiTConfig(**VIT)), tmp_path / "deit")
    ours, _ = image_encoder({}, deit, image_size=16)
    assert isinstance(ours, TransformersImages)
    with torch.no_grad():
        expected = AutoModel.from_pretrained(deit).eval()(pixel_values=pictures().pixel_values).last_hidden_state
    torch.testing.assert_close(ours.eval()(pictures()), expected[:, 0])
    roberta = saved(RobertaModel(RobertaConfig(**WORDS, type_vocab_size=1)), tmp_path / "roberta")
    words, _ = text_encoder({}, roberta, vocab_size=40)
    assert isinstance(words, TransformersStates)
    text = sentences()
    with torch.no_grad():
        states = AutoModel.from_pretrained(roberta).eval()(
            input_ids=text.input_ids, attention_mask=text.attention_mask.long()
        )
    torch.testing.assert_close(words.eval()(text), states.last_hidden_state[:, 0])


def test_wrapped_encoders_have_no_parameter_without_a_gradient() -> None:
    values = {"model_type": "distilbert", "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16, "vocab_size": 40}
    encoder, described = text_encoder(values, vocab_size=40)
    encoder.train()(sentences()).square().sum().backward()
    assert [n for n, p in encoder.named_parameters() if p.grad is None] == []
    assert DistilBertConfig(**described).dim == 16


def test_what_cannot_be_loaded_or_used_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no vision encoder can be loaded from"):
        image_encoder({}, str(tmp_path / "nowhere"), image_size=16)
    with pytest.raises(ValueError, match=r"options.vision: model_type 'vitt' is unknown"):
        image_encoder({"model_type": "vitt"}, image_size=16)
    with pytest.raises(ValueError, match="knows 40 word pieces and the tokenizer 50"):
        text_encoder({}, saved(BertModel(BertConfig(**WORDS)), tmp_path), vocab_size=50)
    with pytest.raises(ValueError, match=r"no place for: embeddings.surprise"):
        vit_state({**ViTModel(ViTConfig(**VIT)).state_dict(), "embeddings.surprise": torch.zeros(1)}, side=4)


def test_a_file_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = saved(ViTModel(ViTConfig(**VIT)), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    lost = next(name for name in weights if "layernorm" in name and name.endswith("weight") and "before" not in name)
    del weights[lost]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="lacks weights of the vision encoder"):
        image_encoder({}, folder, image_size=16)
