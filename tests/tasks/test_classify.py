"""Rows with labels: one of several, one of two, any number."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from chiasm.batch import Output
from chiasm.data.example import DataError, Example
from chiasm.tasks import Prediction
from chiasm.tasks.classify import Classify


def rows(*answers: object) -> list[Example]:
    return [Example(f"r{i}", {"answer": answer}) for i, answer in enumerate(answers)]


def targets(task: Classify, examples: list[Example]) -> list[object]:
    found = task.targets(examples)["answer"].gather(torch.arange(len(examples)))
    assert isinstance(found, torch.Tensor)
    return found.tolist()


def test_labels_are_numbered_by_frequency_or_as_listed() -> None:
    examples = rows("dog", "cat", "dog", 3.0, 3, None, math.nan, "cat", "dog")
    task = Classify().fit(examples)
    assert task.labels == ("dog", "3", "cat")
    assert targets(task, examples) == [0, 2, 0, 1, 1, -1, -1, 2, 0]
    assert Classify(labels=("cat", "cow", "dog", "3")).fit(examples).labels == ("cat", "cow", "dog", "3")


def test_a_training_label_that_is_not_listed_is_refused() -> None:
    with pytest.raises(DataError, match="the label 'dog'; the listed ones are cat, cow"):
        Classify(labels=("cat", "cow")).fit(rows("cat", "dog"))


@pytest.mark.parametrize(("values", "positive"), [((True, False), "True"), (("yes", "no"), "yes"), ((1, 0), "1")])
def test_a_binary_task_takes_yes_for_the_positive_label(values: tuple[object, object], positive: str) -> None:
    task = Classify(kind="binary").fit(rows(*values, values[0]))  # the positive label is the commoner one
    assert task.labels[1] == positive
    assert targets(task, rows(*values)) == [1, 0]
    (said,) = task.decode(Output({"answer": torch.tensor([[1.5]])}), ["r0"])
    assert (said.answer, said.probability) == (positive, pytest.approx(torch.tensor(1.5).sigmoid().item()))


def test_a_binary_task_needs_two_labels() -> None:
    with pytest.raises(DataError, match="needs two labels; there are 3: a, b, c"):
        Classify(kind="binary").fit(rows("a", "b", "c"))


def test_the_threshold_moves_the_binary_answer_not_its_probability() -> None:
    task = Classify(kind="binary", threshold=0.9).fit(rows("no", "yes"))
    (said,) = task.decode(Output({"answer": torch.tensor([[1.5]])}), ["r0"])
    assert said.answer == "no"
    assert said.probability == pytest.approx(1 - torch.tensor(1.5).sigmoid().item())
    with pytest.raises(ValueError, match="between 0 and 1"):
        Classify(threshold=1.0)


def test_binary_measures_have_the_area_under_the_curve() -> None:
    task = Classify(kind="binary").fit(rows("no", "yes"))
    examples = rows("no", "no", "yes", "yes", "yes")
    scores = torch.tensor([0.1, 0.6, 0.35, 0.6, 0.9]).logit()[:, None]
    said = task.decode(Output({"answer": scores}), [e.id for e in examples], top_k=1)
    measures = task.evaluate(said, examples)
    assert measures["auc"].value == pytest.approx(0.75)
    assert measures["accuracy"].value == pytest.approx(0.6)


def test_several_labels_are_those_above_the_threshold() -> None:
    examples = rows(["a", "b"], [], "a")
    task = Classify(kind="several").fit(examples)
    assert targets(task, examples) == [[1, 1], [0, 0], [1, 0]]
    said = task.decode(Output({"answer": torch.tensor([[3.0, 1.0], [-2.0, -1.0], [1.0, -0.2]])}), ["r0", "r1", "r2"])
    assert [p.answer for p in said] == [["a", "b"], [], ["a"]]
    assert said[2].probability == pytest.approx(torch.tensor(0.2).sigmoid().item())
    measures = task.evaluate(said, examples)
    assert measures["accuracy"].value == measures["micro_f1"].value == 1.0


def test_a_row_with_two_labels_needs_the_kind_for_it() -> None:
    with pytest.raises(DataError, match="row r1 has 2 labels; use kind = 'several'"):
        Classify().fit(rows("a", ["a", "b"]))


def test_a_label_that_training_did_not_have_counts_as_wrong() -> None:
    task = Classify().fit(rows("a", "b"))
    measures = task.evaluate([Prediction("r0", "a", 1.0), Prediction("r1", "b", 1.0)], rows("a", "new"))
    assert measures["accuracy"].value == 0.5
    assert measures["recall/new"].value == 0.0


def test_with_many_labels_only_averages_are_reported() -> None:
    examples = rows(*[f"label {i}" for i in range(60)])
    measures = (
        Classify().fit(examples).evaluate([Prediction(e.id, e.values["answer"], 1.0) for e in examples], examples)
    )
    assert measures["macro_f1"].value == 1.0
    assert not any("/" in name for name in measures)


def test_rows_about_one_image_are_resampled_together() -> None:
    examples = [Example(f"r{i}", {"answer": "a" if i % 2 else "b", "images": (f"{i % 2}.png",)}) for i in range(40)]
    measures = Classify().fit(examples).evaluate([Prediction(e.id, "a", 1.0) for e in examples], examples)
    assert (measures["accuracy"].low, measures["accuracy"].high) == (0.0, 1.0)


def test_the_file_of_answers_is_a_table(tmp_path: Path) -> None:
    Classify().submission([Prediction("r0", "a, b", 0.75), Prediction("r1", ["x", "y"], 0.5)], tmp_path / "answers.csv")
    assert (tmp_path / "answers.csv").read_text().splitlines() == [
        "id,answer,probability",
        'r0,"a, b",0.750000',
        "r1,x|y,0.500000",
    ]
