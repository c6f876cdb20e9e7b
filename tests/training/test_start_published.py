"""Training begins with published LXMERT weights: a file of the original code, or a converted folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from chiasm.data.vocabulary import AnswerVocabulary
from chiasm.models.lxmert import Config as Answering
from chiasm.models.lxmert import Lxmert
from chiasm.models.lxmert_pretraining import Config, LxmertPretraining
from chiasm.training.errors import TrainingError
from chiasm.training.initial import start_from
from chiasm.weights.lxmert import Weights, convert
from chiasm.weights.lxmert import _original as original_names

SIZES: Mapping[str, Any] = {
    "vocab_size": 30, "hidden_size": 64, "num_attention_heads": 1, "intermediate_size": 32, "feature_size": 8,
    "language_layers": 1, "object_layers": 1, "cross_layers": 1,
}  # fmt: skip


class Answers:
    """As much of a task as the answers' rows need."""

    def __init__(self, *answers: str) -> None:
        self.vocabulary = AnswerVocabulary(answers)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the original file, the converted folder, and the answers of its rows."""
    folder = tmp_path_factory.mktemp("published")
    model = LxmertPretraining(Config(**SIZES, num_labels=3, num_objects=4, num_attributes=2), {})
    weights = Weights("lxmert_pretraining", model.config, model.state_dict(), "")
    torch.save(original_names(weights, module=True), folder / "model.pth")
    convert(folder / "model.pth", folder / "ours")
    (folder / "table.json").write_text(json.dumps([{"ans": a, "dsets": ["vqa"]} for a in ("2", "cat", "dog")]))
    return folder


@pytest.mark.parametrize("form", ["model.pth", "ours"])
def test_the_encoder_and_the_known_answers_are_taken_over(published: Path, form: str) -> None:
    torch.manual_seed(1)
    model = Lxmert(_config(4), {})
    task: Any = Answers("a dog", "sheep", "two", "cat")
    said = start_from(model, task, {}, published / form, answer_table=str(published / "table.json"))
    assert said.endswith("3 of 4 answers with their rows, the others zero")
    theirs = torch.load(published / "model.pth", weights_only=True)
    word = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(model.encoder.text_embedding.words.weight, theirs[f"module.{word}"])
    rows = theirs["module.answer_head.logit_fc.3.weight"]
    assert torch.equal(model.answer_head.scores.weight, torch.stack([rows[2], 0 * rows[0], rows[0], rows[1]]))
    assert torch.equal(model.answer_head.dense.weight, theirs["module.answer_head.logit_fc.0.weight"])


def test_without_the_table_the_answer_head_stays(published: Path) -> None:
    model = Lxmert(_config(4), {})
    before = model.answer_head.scores.weight.clone()
    task: Any = Answers("a", "b", "c", "d")
    start_from(model, task, {}, published / "ours")
    assert torch.equal(model.answer_head.scores.weight, before)


def test_a_table_of_another_length_and_weights_that_do_not_fit_are_refused(published: Path, tmp_path: Path) -> None:
    task: Any = Answers("a", "b", "c", "d")
    (tmp_path / "short.json").write_text(json.dumps(["2", "cat"]))
    with pytest.raises(TrainingError, match="3 rows of answers, but 2 answers are named"):
        start_from(Lxmert(_config(4), {}), task, {}, published / "ours", answer_table=str(tmp_path / "short.json"))
    with pytest.raises(TrainingError, match=r"cross_layers\.1"):
        start_from(Lxmert(_config(4, cross_layers=2), {}), task, {}, published / "ours")
    save_file({"x": torch.ones(1)}, tmp_path / "x.safetensors")
    known = "these 1 tensors are of no model whose weights are known here: cmr_released, lxmert"
    with pytest.raises(TrainingError, match=known):
        start_from(Lxmert(_config(4), {}), task, {}, tmp_path / "x.safetensors")


def _config(labels: int, **changes: int) -> Any:
    return Answering(**{**SIZES, "num_labels": labels, **changes})
