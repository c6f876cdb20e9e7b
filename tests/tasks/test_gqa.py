"""The GQA task: hard targets, the official measures from what the source reads, the official file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from chiasm.data.example import DataError, Example
from chiasm.data.sources import gqa as source
from chiasm.tasks import Prediction
from chiasm.tasks.gqa import Gqa, read_choices
from tests.conftest import SharedData


def question(name: str, answer: str, **info: object) -> Example:
    return Example(name, {"answer": answer, "text": "Is it red or blue?"}, {"image_id": "1", **info})


QUESTIONS = [
    question("1", "red", structural="query", group="color", entailed=("2", "9")),
    question("2", "yes", structural="verify", program=[{"operation": "exist", "argument": "?"}]),
    question("3", "no", structural="verify", is_balanced=False),
]


def test_the_target_is_one_for_the_answer_and_nothing_for_one_not_known() -> None:
    task = Gqa().fit(QUESTIONS[:2])
    targets = task.targets(QUESTIONS)["answer"].gather(torch.arange(3))
    assert isinstance(targets, torch.Tensor)
    assert targets.tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]


def test_with_cross_entropy_the_answer_is_a_class_and_unknown_ones_are_ignored() -> None:
    task = Gqa(loss="ce").fit(QUESTIONS[:2])
    targets = task.targets(QUESTIONS)["answer"].gather(torch.arange(3))
    assert isinstance(targets, torch.Tensor)
    assert targets.tolist() == [0, 1, -1]


def test_measures_read_what_the_source_gives() -> None:
    task = Gqa().fit(QUESTIONS)
    said = [Prediction(i, a, 1.0) for i, a in [("1", "red"), ("2", "no"), ("3", "no")]]
    measures = {name: m.value for name, m in task.evaluate(said, QUESTIONS).items()}
    assert measures == pytest.approx(
        {
            "accuracy": 0.5,
            "binary": 0.0,
            "open": 1.0,
            "accuracy/structural/query": 1.0,
            "accuracy/structural/verify": 0.0,
            "accuracy/words/5": 0.5,
            "accuracy/steps/0": 0.0,
            "consistency": 0.0,
            "entailed_known": 0.5,
            "distribution": 0.0,
        }
    )


def test_validity_comes_with_the_choices_file(tmp_path: Path) -> None:
    task = Gqa().fit(QUESTIONS)
    content = {e.id: {"valid": ["red", "no"], "plausible": ["red"]} for e in QUESTIONS}
    (tmp_path / "choices.json").write_text(json.dumps(content))
    said = [Prediction(e.id, a, 1.0) for e, a in zip(QUESTIONS, ["red", "no", "no"], strict=True)]
    measures = task.evaluate(said, QUESTIONS, choices=read_choices(tmp_path / "choices.json"))
    assert measures["validity"].value == 1.0
    assert measures["plausibility"].value == 0.5
    with pytest.raises(DataError, match="is not there"):
        read_choices(tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"1": ["red"]}')
    with pytest.raises(DataError, match="no GQA choices file"):
        read_choices(tmp_path / "other.json")


def test_the_published_label_map_numbers_the_answers(shared_data: SharedData) -> None:
    path = shared_data("gqa_sample") / "trainval_ans2label.json"
    task = Gqa(vocabulary=str(path)).fit(QUESTIONS)
    assert task.facts()["num_labels"] == 1842
    assert task.vocabulary.number("yes") == json.loads(path.read_text())["yes"]


def test_a_real_question_is_measured_by_its_types(shared_data: SharedData, tmp_path: Path) -> None:
    official = (shared_data("real_pairs") / "gqa" / "questions.json").read_text()
    (tmp_path / "questions").mkdir()
    (tmp_path / "images").symlink_to(shared_data("real_pairs") / "images" / "gqa")
    (tmp_path / "questions" / "val_balanced_questions.json").write_text(official)
    examples = source.read(tmp_path, "val")
    task = Gqa().fit(examples)
    measures = task.evaluate([Prediction("202218649", "picture", 1.0)], examples)
    assert measures["accuracy/detailed/relS"].value == 1.0
    assert measures["accuracy/steps/2"].value == 1.0
    assert measures["entailed_known"].value == 0.0
    assert "consistency" not in measures


def test_the_official_file_has_ids_as_text(tmp_path: Path) -> None:
    Gqa().submission([Prediction("202218649", "picture", 0.9)], tmp_path / "answers.json")
    written = json.loads((tmp_path / "answers.json").read_text())
    assert written == [{"questionId": "202218649", "prediction": "picture"}]
