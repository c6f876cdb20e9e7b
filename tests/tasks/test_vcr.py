"""VCR's three accuracies, rationales given the true or the said answer, and the leaderboard's file."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from chiasm.batch import Output
from chiasm.data.example import DataError, Example
from chiasm.tasks.vcr import Vcr


def examples(*labels: tuple[int | None, int | None]) -> list[Example]:
    return [Example(f"q{i}", {"answer": a, "rationale": r, "images": (f"{i}.png",)}) for i, (a, r) in enumerate(labels)]


def scores_for(*numbers: int, size: int = 4) -> Tensor:
    """(B, size) scores whose best are the given ones."""
    return 3.0 * torch.nn.functional.one_hot(torch.tensor(numbers), size).float()


def test_both_count_only_where_both_are_right() -> None:
    task, rows = Vcr(), examples((0, 1), (2, 3), (1, 1), (3, 0))
    output = Output({"answer": scores_for(0, 2, 0, 0), "rationale": scores_for(1, 0, 1, 3)})
    found = task.evaluate(task.decode(output, [e.id for e in rows]), rows)
    assert {name: e.value for name, e in found.items()} == {"q_to_a": 0.5, "qa_to_r": 0.5, "q_to_ar": 0.25}
    assert task.headline == "q_to_ar"
    assert found["q_to_a"].low < 0.5 < found["q_to_a"].high


def test_an_example_can_be_measured_when_all_that_is_asked_is_known() -> None:
    rows = examples((0, 1), (0, None), (None, None))
    assert [Vcr().labelled(row) for row in rows] == [True, False, False]
    assert [Vcr(ask="answer").labelled(row) for row in rows] == [True, True, False]


def test_one_question_alone_has_one_measure() -> None:
    task, rows = Vcr(ask="rationale"), examples((0, 1), (2, 3))
    found = task.evaluate(task.decode(Output({"rationale": scores_for(1, 3)}), ["q0", "q1"]), rows)
    assert {name: e.value for name, e in found.items()} == {"qa_to_r": 1.0}
    assert list(task.objectives()) == ["rationale"]


def test_without_the_true_answer_the_rationale_is_that_of_the_said_one() -> None:
    given_each = torch.cat([scores_for(0), scores_for(1), scores_for(2), scores_for(3)], 1)
    (said,) = Vcr().decode(Output({"answer": scores_for(2), "rationale": given_each}), ["q0"])
    assert said.answer == 2
    assert said.heads["rationale"]["number"] == 2
    assert said.probability == pytest.approx(math.exp(3) / (math.exp(3) + 3))
    assert said.alternatives[0] == (2, said.probability)


def test_the_official_file_has_the_official_columns(tmp_path: Path) -> None:
    rationales = torch.arange(16.0)[None]
    predictions = Vcr().decode(Output({"answer": scores_for(1), "rationale": rationales}), ["test-0"])
    Vcr().submission(predictions, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open() as file:
        heading, row = csv.reader(file)
    assert heading[:6] == ["annot_id", "answer_0", "answer_1", "answer_2", "answer_3", "rationale_conditioned_on_a0_0"]
    assert heading[-1] == "rationale_conditioned_on_a3_3"
    assert len(row) == len(heading) == 21
    assert row[0] == "test-0"
    numbers = [float(value) for value in row[1:]]
    for start in range(0, 20, 4):
        assert sum(numbers[start : start + 4]) == pytest.approx(1, abs=1e-6)


def test_the_official_file_needs_rationales_of_every_answer(tmp_path: Path) -> None:
    predictions = Vcr().decode(Output({"answer": scores_for(1), "rationale": scores_for(1)}), ["val-0"])
    with pytest.raises(DataError, match="rationales given each of the four answers"):
        Vcr().submission(predictions, tmp_path / "out.csv")


def test_targets_are_the_numbers_of_the_right_ones_and_the_unknown_are_ignored() -> None:
    targets = Vcr().targets(examples((2, 1), (None, None)))
    assert {part: c.gather(torch.arange(2)).tolist() for part, c in targets.items()} == {  # type: ignore[union-attr]
        "answer": [2, -1],
        "rationale": [1, -1],
    }


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    Vcr(ask="answer").save(tmp_path)
    loaded = Vcr.load(tmp_path)
    assert (loaded.options, loaded.headline, loaded.parts) == ({"ask": "answer"}, "q_to_a", ("answer",))


@pytest.mark.parametrize(
    ("scores", "error", "message"),
    [
        ({"answer": torch.zeros(1, 4)}, ValueError, "no head 'rationale'"),
        ({"answer": torch.zeros(1, 5), "rationale": torch.zeros(1, 4)}, ValueError, r"scored \(1, 5\)"),
        ({"answer": torch.zeros(1, 16), "rationale": torch.zeros(1, 4)}, ValueError, r"scored \(1, 16\)"),
        ({"answer": torch.full((1, 4), math.nan), "rationale": torch.zeros(1, 4)}, DataError, "NaN for q0"),
    ],
)
def test_scores_that_do_not_fit_are_refused(scores: dict[str, Tensor], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        Vcr().decode(Output(scores), ["q0"])


def test_rationales_alone_need_the_true_answer() -> None:
    with pytest.raises(DataError, match="of a right answer that the examples do not name"):
        Vcr(ask="rationale").decode(Output({"rationale": torch.zeros(1, 16)}), ["q0"])


def test_examples_without_labels_can_neither_train_nor_be_measured() -> None:
    rows = examples((None, None))
    with pytest.raises(DataError, match="none of the 1 training examples says the right answer"):
        Vcr().fit(rows)
    output = Output({"answer": scores_for(1), "rationale": scores_for(1)})
    with pytest.raises(DataError, match="q0 does not say the right answer"):
        Vcr().evaluate(Vcr().decode(output, ["q0"]), rows)
