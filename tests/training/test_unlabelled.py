"""Rows without an answer: left out of what is measured, told by name; a whole split of them is answered only."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chiasm.data.example import DataError, Example
from chiasm.data.sources import source
from chiasm.training.evaluate import evaluate
from chiasm.training.recipe import Recipe
from chiasm.training.run import RunResult, train

Make = Callable[..., Recipe]
Splits = dict[str, Sequence[Example]]


def splits(folder: Path) -> Splits:
    names = {"train": "train", "validation": "val", "test": "test"}
    return {use: source("word_pairs").read(folder, split, count=40) for use, split in names.items()}


def with_answers(examples: Sequence[Example], *answers: Any) -> list[Example]:
    """The examples, the first ones with other answers."""
    changed = [replace(e, values={**e.values, "answer": a}) for e, a in zip(examples, answers, strict=False)]
    return [*changed, *examples[len(answers) :]]


def run(recipe: Make, data: Splits, out: Path) -> RunResult:
    return train(recipe("training.epochs=1"), data=data, out=out, show=False)


@pytest.mark.parametrize("use", ["validation", "test"])
def test_held_out_rows_without_an_answer_are_left_out_and_named(
    recipe: Make, words: Path, tmp_path: Path, use: str
) -> None:
    data = splits(words)
    data[use] = with_answers(data[use], None, math.nan, " ")
    result = run(recipe, data, tmp_path / "out")
    assert {name: len(dataset) for name, dataset in result.splits.items()} == {
        "train": 40, "validation": 40, "test": 40, use: 37,
    }  # fmt: skip
    assert result.metrics[use]["accuracy"].n == 37
    told = [str(row) for row in result.skipped]
    assert [text.split(":")[0] for text in told] == [
        f"line {number}, row {example.id}" for number, example in enumerate(data[use][:3])
    ]
    assert all(f"left out of the {use} examples" in text for text in told)
    assert json.loads((result.out / "metrics.json").read_text(encoding="utf-8"))["skipped_rows"] == told


def test_training_rows_without_an_answer_stay(recipe: Make, words: Path, tmp_path: Path) -> None:
    data = splits(words)
    data["train"] = with_answers(data["train"], None, None)
    assert len(run(recipe, data, tmp_path / "out").splits["train"]) == 40


def test_a_test_split_without_answers_is_answered_and_not_measured(recipe: Make, words: Path, tmp_path: Path) -> None:
    data = splits(words)
    data["test"] = with_answers(data["test"], *[None] * 40)
    result = run(recipe, data, tmp_path / "out")
    assert list(result.metrics) == ["validation"]
    assert len(result.predictions["test"]) == 40
    assert len((result.out / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()) == 40
    assert (result.out / "bundle").is_dir()
    assert result.skipped == ()


def test_a_validation_split_without_answers_is_refused_before_training(
    recipe: Make, words: Path, tmp_path: Path
) -> None:
    data = splits(words)
    data["validation"] = with_answers(data["validation"], *[None] * 40)
    with pytest.raises(DataError, match="none of the 40 validation examples has an answer"):
        run(recipe, data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_evaluation_answers_every_row_and_measures_those_that_have_an_answer(
    recipe: Make, words: Path, tmp_path: Path
) -> None:
    bundle = run(recipe, splits(words), tmp_path / "out").bundle
    examples = with_answers(splits(words)["test"], None, "")
    files = {name: tmp_path / name for name in ("metrics", "predictions", "submission")}
    measured = evaluate(bundle, examples, show=False, **files)
    assert measured["accuracy"].n == 38
    assert measured == {"accuracy": evaluate(bundle, examples[2:], show=False)["accuracy"]}
    assert len(files["predictions"].read_text().splitlines()) == 40
    assert len(files["submission"].read_text().splitlines()) == 40
    assert json.loads(files["metrics"].read_text())["without_answer"] == 2
