"""Numbers of rows: standardised for the model, in the data's unit for people."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from chiasm.batch import Output
from chiasm.data.example import BadRows, Example, RowError
from chiasm.tasks import Prediction
from chiasm.tasks.regress import Regress


def rows(*answers: object) -> list[Example]:
    return [Example(f"r{i}", {"answer": answer}, origin=f"line {i + 2}") for i, answer in enumerate(answers)]


def targets(task: Regress, examples: list[Example]) -> list[float]:
    found = task.targets(examples)["answer"].gather(torch.arange(len(examples)))
    assert isinstance(found, torch.Tensor)
    return found.tolist()


def test_targets_are_standardised_by_the_training_answers_and_answers_are_not() -> None:
    task = Regress().fit(rows(100, 300))
    assert targets(task, rows(100, "250", None, math.nan, ""))[:2] == [-1.0, 0.5]
    assert all(math.isnan(t) for t in targets(task, rows(100, "250", None, math.nan, ""))[2:])
    said = task.decode(Output({"answer": torch.tensor([[0.5], [-1.0]])}), ["a", "b"])
    assert [p.answer for p in said] == [250.0, 100.0]


def test_targets_can_stay_as_they_are_and_equal_ones_are_only_centred() -> None:
    assert targets(Regress(standardise=False).fit(rows(100, 300)), rows(100)) == [100.0]
    assert targets(Regress().fit(rows(7, 7)), rows(7, 8)) == [0.0, 1.0]


def test_what_is_not_a_number_is_named_with_its_row() -> None:
    with pytest.raises(RowError, match=r"line 3, row r1: the answer 'many' is not a finite number"):
        Regress().fit(rows(1, "many"))
    with pytest.raises(BadRows, match="2 bad rows"):
        Regress().fit(rows(1, [2], math.inf))


def test_measures_are_in_the_unit_of_the_data() -> None:
    examples = rows(100, 200, 50)
    task = Regress().fit(examples)
    measures = task.evaluate([Prediction(f"r{i}", v, 1.0) for i, v in enumerate([110, 170, 55])], examples)
    assert measures["rmse"].value == pytest.approx(18.484228, abs=1e-6)
    assert measures["mae"].value == pytest.approx(15)
    assert set(measures) == {"mae", "rmse", "r2", "pearson"}


def test_the_file_of_answers_is_a_table(tmp_path: Path) -> None:
    Regress().submission([Prediction("r0", 2.5, 1.0)], tmp_path / "answers.csv")
    assert (tmp_path / "answers.csv").read_text().splitlines() == ["id,answer", "r0,2.5"]
