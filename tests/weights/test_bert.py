"""BERT's weights in LXMERT's language encoder: the states equal transformers', bottom and top layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForPreTraining

from chiasm.batch import Text
from chiasm.models.lxmert import Config, Encoder
from chiasm.weights.bert import head_weights, language_weights, read_bert
from chiasm.weights.lxmert import WeightsError

SIZES = {"vocab_size": 60, "hidden_size": 24, "num_attention_heads": 3, "intermediate_size": 40}


@pytest.fixture(scope="module")
def bert() -> Any:
    torch.manual_seed(0)
    net = BertForPreTraining(BertConfig(num_hidden_layers=4, attn_implementation="eager", **SIZES)).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in net.parameters():  # every layer its own values, norms too
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    return net


@pytest.fixture(scope="module")
def folder(bert: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bert")
    bert.save_pretrained(path)
    return path


@torch.no_grad()
@pytest.mark.parametrize("which", ["bottom", "top"])
def test_the_chosen_layers_give_berts_states(bert: Any, folder: Path, which: Any) -> None:
    encoder = Encoder(Config(**SIZES, language_layers=2, object_layers=0, cross_layers=0, feature_size=5)).eval()
    weights = language_weights(read_bert(folder), 2, which=which)
    own = encoder.state_dict()
    for name, tensor in weights.items():
        own[name.removeprefix("encoder.")].copy_(tensor)
    text = Text(torch.arange(12).view(2, 6) + 1, torch.arange(6) < torch.tensor([6, 4])[:, None])
    x = bert.bert.embeddings(text.input_ids)
    mask = (1.0 - text.attention_mask[:, None, None].float()) * -10000.0
    layers = bert.bert.encoder.layer
    for layer in layers[:2] if which == "bottom" else layers[2:]:
        x = layer(x, mask)
        x = x[0] if isinstance(x, tuple) else x
    torch.testing.assert_close(encoder.language(text), x, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoder.pooled_text(text), bert.bert.pooler(x), atol=1e-5, rtol=1e-5)


def test_heads_for_words_and_sentences_are_found(bert: Any, folder: Path) -> None:
    heads = head_weights(read_bert(folder))
    assert torch.equal(heads["word_head.bias"], bert.cls.predictions.bias)
    assert torch.equal(heads["matching_head.weight"], bert.cls.seq_relationship.weight)
    assert len(heads) == 7


def test_old_names_of_norms_are_read(folder: Path, tmp_path: Path) -> None:
    def old(name: str) -> str:
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    tensors = {old(name): tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(tensors, tmp_path / "model.safetensors")
    before, after = language_weights(read_bert(folder), 4), language_weights(read_bert(tmp_path), 4)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_does_not_fit_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="this BERT has 4 layers, 5 are asked for"):
        language_weights(read_bert(folder), 5)
    with pytest.raises(WeightsError, match=r"model\.safetensors is not there"):
        read_bert(tmp_path)
    tensors = read_bert(folder)
    del tensors["encoder.layer.1.output.dense.bias"]
    with pytest.raises(WeightsError, match=r"encoder\.layer\.1\.output\.dense\.bias is missing"):
        language_weights(tensors, 4)
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_bert(tmp_path)
