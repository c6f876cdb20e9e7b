"""A model that reads with BERT and sees with LXMERT begins with both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertModel

from chiasm.models.cmr import Cmr, Config
from chiasm.training.checkpoint import module_tensors
from chiasm.training.errors import RecipeError, TrainingError
from chiasm.training.initial import start_from
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train
from chiasm.weights.bert import language_weights, read_bert
from chiasm.weights.lxmert import read
from tests.training.test_start_published import SIZES, published

__all__ = ["published"]  # a fixture

PARTS = ("encoder.region_embedding.", "encoder.object_layers.")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers, of the width of the published LXMERT."""
    folder = tmp_path_factory.mktemp("bert")
    names = ("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size")
    BertModel(BertConfig(**{name: SIZES[name] for name in names}, num_hidden_layers=2)).save_pretrained(folder)
    return folder


def cmr(**options: Any) -> Cmr:
    torch.manual_seed(3)
    sizes = {**SIZES, "language_layers": 2, "max_words": 8, "max_regions": 10, "classifier_sizes": (8, 8)}
    return Cmr(Config(**{**sizes, "entity_channels": (4,), **options}), {})


def test_words_come_from_bert_and_regions_from_lxmert(published: Path, bert: Path) -> None:
    model, task = cmr(), object()
    drawn = {name: tensor.clone() for name, tensor in module_tensors(model).items()}
    said = start_from(model, task, {}, published / "ours", parts=PARTS, bert=str(bert))  # type: ignore[arg-type]
    assert said.endswith(f"the bottom 2 layers of BERT in {bert}")
    words, seen = language_weights(read_bert(bert), 2), read(published / "ours").tensors
    for name, tensor in module_tensors(model).items():
        expected = seen[name] if name.startswith(PARTS) else words.get(name, drawn[name])
        assert torch.equal(tensor, expected), name
    assert any(name.startswith("encoder.cross_layers.") for name in drawn.keys() - words.keys())


def test_without_single_modality_layers_berts_tables_are_taken_and_what_has_no_place_is_said(bert: Path) -> None:
    model = cmr(single_modality=False)
    said = start_from(model, object(), {}, bert)  # type: ignore[arg-type]
    assert said.endswith("but not its encoder.text_embedding.norm.bias, encoder.text_embedding.norm.weight")
    expected = read_bert(bert)["embeddings.word_embeddings.weight"]
    assert torch.equal(model.encoder.text_embedding.words.weight, expected)


def test_a_bert_beside_nothing_and_one_that_does_not_fit_are_refused(
    published: Path, bert: Path, tmp_path: Path
) -> None:
    beside = [f"training.start_options.bert={bert}", "training.max_steps=1", "training.trackers=[]"]
    with pytest.raises(RecipeError, match=r"goes beside training\.start"):
        train(load_recipe("cmr_nlvr2").tiny().with_settings(beside), out=tmp_path, show=False)
    task: Any = object()
    with pytest.raises(TrainingError, match="has 2 layers, 3 are asked for"):
        start_from(cmr(language_layers=3), task, {}, published / "ours", parts=PARTS, bert=str(bert))
    with pytest.raises(TrainingError, match="holds no BERT"):
        start_from(cmr(), task, {}, published / "ours", parts=PARTS, bert=str(tmp_path))
