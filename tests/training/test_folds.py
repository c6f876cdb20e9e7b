"""Folds: every row outside the validation rows is tested once, divided as the released code divides."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import KFold, train_test_split

from chiasm.data.example import DataError, Example
from chiasm.training.data import BadRowPolicy, prepare
from chiasm.training.folds import cross_validate, divided, mean_of_folds
from chiasm.training.recipe import load_recipe

ROWS = [Example(str(i), {}) for i in range(50)]


def test_each_row_is_tested_once_or_is_a_validation_row_of_every_fold() -> None:
    folds = list(divided(ROWS, 4))
    validation = [{e.id for e in fold["validation"]} for fold in folds]
    tested = [e.id for fold in folds for e in fold["test"]]
    assert validation[0] == validation[1] == validation[2] == validation[3]
    assert sorted([*validation[0], *tested]) == sorted(e.id for e in ROWS)
    for fold in folds:
        groups = [{e.id for e in fold[use]} for use in ("train", "validation", "test")]
        assert len(set.union(*groups)) == sum(map(len, groups)) == 50


def test_the_rows_are_divided_as_the_released_code_divides_them() -> None:
    rest, validation = train_test_split(list(range(50)), test_size=0.2, random_state=5)
    places = list(KFold(4, shuffle=True, random_state=5).split(rest))
    for fold, (train, test) in zip(divided(ROWS, 4), places, strict=True):
        assert [e.id for e in fold["train"]] == [str(rest[i]) for i in train]
        assert [e.id for e in fold["test"]] == [str(rest[i]) for i in test]
        assert [e.id for e in fold["validation"]] == [str(i) for i in validation]


def test_the_interval_over_folds_is_students() -> None:
    values = [0.8, 0.82, 0.79, 0.85]
    found = mean_of_folds(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(values), low, high))
    assert math.isnan(mean_of_folds([0.5]).low)


def test_too_few_rows_and_folds_are_refused() -> None:
    with pytest.raises(DataError, match="5 rows are too few for 4 folds"):
        list(divided(ROWS[:5], 4))
    with pytest.raises(ValueError, match="at least 2"):
        list(divided(ROWS, 1))


def test_a_recipe_is_trained_on_every_fold_and_the_record_is_written(tmp_path: Path) -> None:
    settings = ["data.world.rows=60", "data.world.val_rows=20", "training.epochs=1", "training.batch_size=10"]
    recipe = load_recipe("text_tabular_rows").tiny().with_settings(settings)
    recipe = recipe.with_settings(['data.validation=["val"]', "data.validation_share=0"])
    found = cross_validate(recipe, out=tmp_path, folds=2, show=False)
    assert len(found.examples) == len(found.predictions) == 64
    assert found.metrics["accuracy"].n == 2
    assert found.metrics["accuracy"].value == pytest.approx(np.mean(found.by_fold["accuracy"]))
    record = json.loads((tmp_path / "folds.json").read_text())
    assert record["rows"] == 64
    assert record["metrics"]["accuracy"]["value"] == found.metrics["accuracy"].value
    assert found.peak_bytes > 2**20


@pytest.mark.parametrize(("fit_on", "known"), [("train", ["cat"]), ("all", ["cat", "fox"])])
def test_columns_are_fitted_on_training_rows_unless_the_recipe_says_all(fit_on: str, known: list[str]) -> None:
    def row(name: str, kind: str, answer: str) -> Example:
        return Example(name, {"text": "a word", "table": {"kind": kind}, "answer": answer})

    splits = {"train": [row("a", "cat", "x"), row("b", "cat", "y")], "test": [row("c", "fox", "x")]}
    settings = [f'table.fit_on="{fit_on}"', 'table.categories=["kind"]', "text.vocabulary_size=100"]
    recipe = load_recipe("text_tabular_rows").with_settings(settings)
    table = prepare(recipe, splits, BadRowPolicy()).preprocessors["table"]
    assert table.classes == {"kind": known}  # type: ignore[attr-defined]
