"""Training begins with a pre-trained bundle: which tensors, which answers' rows, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from chiasm.data.example import DataError
from chiasm.data.vocabulary import AnswerVocabulary
from chiasm.training.checkpoint import module_tensors
from chiasm.training.errors import RecipeError, TrainingError
from chiasm.training.initial import answer_rows, mapped_rows
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import RunResult, train

QUICK = ["training.epochs=1", "training.max_steps=2", "training.trackers=[]", "training.keep_best=false"]


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    recipe = load_recipe("lxmert_world_pretrain").tiny().with_settings(QUICK)
    return train(recipe, out=tmp_path_factory.mktemp("pre"), show=False)


def starting(name: str, pretrained: RunResult, *settings: str) -> Recipe:
    """The tiny recipe, beginning with the bundle, at a rate so small that its weights stay recognisable."""
    bundle = pretrained.out / "bundle"
    begin = [f"training.start={bundle}", f"text.vocabulary={bundle}/preprocessing/text", "training.lr=1e-12"]
    return load_recipe(name).tiny().with_settings([*QUICK, *begin, "training.weight_decay=0", *settings])


def test_encoder_and_known_answers_are_taken_over_and_other_answers_are_zero(
    pretrained: RunResult, tmp_path: Path
) -> None:
    listed = tmp_path / "answers.json"
    known = pretrained.bundle.task.vocabulary.answers  # type: ignore[attr-defined]
    listed.write_text(json.dumps(["unheard of", f"the {known[0].upper()}.", *reversed(known[1:])]))
    recipe = starting("lxmert_world_gqa", pretrained, f"task.vocabulary={listed}")
    model = train(recipe, out=tmp_path / "run", show=False).bundle.model
    before, after = module_tensors(pretrained.bundle.model), module_tensors(model)
    for name in after:
        if name.startswith(("encoder.", "answer_head.dense.", "answer_head.norm.")):
            torch.testing.assert_close(after[name], before[name], atol=1e-6, rtol=0)
    for row in ("answer_head.scores.weight", "answer_head.scores.bias"):
        first, *others = before[row]
        expected = torch.stack([torch.zeros_like(first), first, *reversed(others)])
        torch.testing.assert_close(after[row], expected, atol=1e-6, rtol=0)


def test_a_task_of_true_and_false_takes_the_encoder_only(pretrained: RunResult, tmp_path: Path) -> None:
    model = train(starting("lxmert_world_nlvr2", pretrained), out=tmp_path, show=False).bundle.model
    before, after = module_tensors(pretrained.bundle.model), module_tensors(model)
    assert all(torch.allclose(after[n], before[n], atol=1e-6) for n in after if n.startswith("encoder."))
    assert after["answer_head.scores.weight"].shape == (2, 32)


def test_other_word_pieces_features_parts_and_options_are_refused(pretrained: RunResult, tmp_path: Path) -> None:
    cases: list[tuple[type[Exception], str, str]] = [
        (TrainingError, "its word pieces are others", "text.vocabulary=train"),
        (DataError, "were made by", "regions.extractor_options.size=3"),
        (TrainingError, r"lacks encoder\.cross_layers\.1", "options.cross_layers=2"),
        (TrainingError, "instead of", "options.intermediate_size=16"),
    ]
    for number, (error, message, setting) in enumerate(cases):
        with pytest.raises(error, match=message):
            train(starting("lxmert_world_gqa", pretrained, setting), out=tmp_path / str(number), show=False)
    with pytest.raises(RecipeError, match="unknown key 'answer'; did you mean 'answers'"):
        starting("lxmert_world_gqa", pretrained, "training.start_options.answer=true")
    with pytest.raises(TrainingError, match="holds no BERT"):
        train(starting("lxmert_world_gqa", pretrained, f"training.start={tmp_path}"), out=tmp_path / "b", show=False)


def test_rows_are_found_by_the_joint_tables_spelling() -> None:
    places = answer_rows(AnswerVocabulary(["The dog", "two", "", "visilab"]), AnswerVocabulary(["2", "dog", "cat"]))
    assert places.tolist() == [1, 0, -1, -1]
    rows = mapped_rows(torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]), places)
    assert rows.tolist() == [[2, 2], [1, 1], [0, 0], [0, 0]]
    assert mapped_rows(torch.tensor([1.0, 2.0, 3.0]), places).tolist() == [2, 1, 0, 0]
