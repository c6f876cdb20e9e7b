"""From a table to a model: what columns are, what is learnt, what new rows may lack."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import chiasm
from chiasm.data.example import DataError
from chiasm.data.table_files import read_raw
from chiasm.serve.predictor import PredictionError, Predictor
from chiasm.synth.worlds import reviews
from chiasm.training.fit import adapt, decide, sized, trained_columns
from chiasm.training.recipe import load_recipe

QUICK = [
    "options.hidden_size=32",
    "options.num_hidden_layers=1",
    "options.intermediate_size=64",
    "text.vocabulary_size=500",
    "training.lr=5e-3",
    "training.trackers=[]",
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("reviews")
    reviews.write(folder, reviews.Options(rows=900), seed=1)
    return pd.read_csv(folder / "train.csv")


@pytest.fixture(scope="module")
def model(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    out = tmp_path_factory.mktemp("fit")
    return chiasm.fit(table, target="Recommended IND", settings=[*QUICK, "training.epochs=8"], out=out, show=False)


def test_a_table_is_learnt_and_measured_on_rows_held_out(model: Predictor) -> None:
    metrics = model.bundle.metrics["metrics"]["test"]
    assert metrics["accuracy"].value > 0.7
    assert metrics["auc"].value > 0.8


def test_the_index_and_identifiers_are_left_out_and_the_rest_has_its_role(table: pd.DataFrame) -> None:
    roles = {guess.column: guess.role for guess in decide(read_raw(table), "Recommended IND")}
    assert roles == {
        "Unnamed: 0": "ignore",
        "Clothing ID": "ignore",
        "Age": "number",
        "Title": "category",  # the generated ones are few
        "Review Text": "text",
        "Rating": "number",
        "Recommended IND": "answer",
        "Positive Feedback Count": "number",
        "Division Name": "category",
        "Department Name": "category",
        "Class Name": "category",
    }


def test_new_rows_need_no_target_and_are_read_as_in_training(model: Predictor, table: pd.DataFrame) -> None:
    new = (
        table.head(3).drop(columns=["Recommended IND", "Clothing ID"]).assign(Note="a long text that nobody asked for")
    )
    plain = table.head(3)
    assert [a.answer for a in model.predict(new)] == [a.answer for a in model.predict(plain)]
    probabilities = [a.probability for a in model.predict(new)]
    assert probabilities == pytest.approx([a.probability for a in model.predict(plain)])


def test_a_loaded_bundle_answers_bit_for_bit(model: Predictor, table: pd.DataFrame) -> None:
    loaded = chiasm.load(model.bundle.folder)
    assert list(loaded.predict(table.head(5))) == list(model.predict(table.head(5)))


def test_an_unseen_category_an_empty_cell_and_no_text_are_answered(model: Predictor, table: pd.DataFrame) -> None:
    row = table.head(1).assign(**{"Department Name": "Hats", "Age": None, "Title": None, "Review Text": None})
    (answer,) = model.predict(row)
    assert answer.answer in ("0", "1")


def test_a_missing_column_is_refused_by_its_name(model: Predictor, table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="'Department Name'"):
        list(model.predict(table.head(2).drop(columns="Department Name")))


def test_a_cell_that_is_no_number_costs_its_row_only(model: Predictor, table: pd.DataFrame) -> None:
    rows = table.head(3).astype({"Age": object})
    rows.loc[1, "Age"] = "old"
    answers = list(model.predict(rows, on_error="skip"))
    assert [isinstance(answer, PredictionError) for answer in answers] == [False, True, False]
    assert "'Age' holds 'old'" in answers[1].reason


def test_one_row_by_hand(model: Predictor, table: pd.DataFrame) -> None:
    row = table.iloc[0]
    by_hand = model.predict(text="perfect", table=row.drop(["Review Text", "Recommended IND"]).to_dict())
    assert by_hand.answer in ("0", "1")


def adapted(columns: dict[str, list[object]], target: str, task: str = "guess") -> dict[str, object]:
    raw = read_raw(pd.DataFrame(columns))
    return dict(adapt(load_recipe("text_tabular_rows"), decide(raw, target), columns[target], task).raw)


LONG = [f"some words about number {i}" for i in range(40)]


def test_rows_without_a_table_or_without_text_give_a_model_of_what_there_is() -> None:
    text = adapted({"review": LONG, "y": [0, 1] * 20}, "y")
    assert "table" not in text
    assert text["options"]["combine"] == "text_only"  # type: ignore[index]
    table = adapted({"size": list(range(40)), "y": [0, 1] * 20}, "y")
    assert "text" not in table
    assert table["options"]["use_text"] is False  # type: ignore[index]


def test_few_values_are_classes_and_many_numbers_a_number() -> None:
    assert adapted({"review": LONG, "y": [0, 1] * 20}, "y")["task"] == {"name": "classify", "labels": ["0", "1"]}
    assert adapted({"review": LONG, "y": [i / 7 for i in range(40)]}, "y")["task"] == {"name": "regress"}
    assert adapted({"review": LONG, "y": [0, 1] * 20}, "y", "regress")["task"] == {"name": "regress"}


def test_rows_that_cannot_be_learnt_are_refused() -> None:
    with pytest.raises(DataError, match="one value only"):
        adapted({"review": LONG, "y": [1] * 40}, "y")
    with pytest.raises(DataError, match="recomended"):
        decide(read_raw(pd.DataFrame({"a": [1], "recommended": [1]})), "recomended")
    with pytest.raises(DataError, match="no column is text, a number or a category"):
        adapted({"user_id": list(range(40)), "y": [0, 1] * 20}, "y")
    with pytest.raises(DataError, match="too few"):
        chiasm.fit(pd.DataFrame({"review": LONG[:5], "y": [0, 1, 0, 1, 0]}), target="y", show=False)


def test_the_number_of_epochs_suits_the_number_of_rows() -> None:
    few, many = (sized(load_recipe("text_tabular_rows"), rows).training for rows in (100, 100_000))
    assert few.batch_size == 12
    assert (few.epochs, many.epochs) == (30, 2)


def test_a_recipe_that_does_not_say_its_columns_has_none_to_keep() -> None:
    assert trained_columns(load_recipe("text_tabular_rows"), ["a"]) is None


def test_the_command_line_fits_predicts_and_explains(table: pd.DataFrame, tmp_path: Path) -> None:
    from chiasm.cli import main

    table.head(300).to_csv(tmp_path / "rows.csv", index=False)
    settings = [word for setting in [*QUICK, "training.epochs=1"] for word in ("--set", setting)]
    with pytest.raises(SystemExit) as ended:
        main(
            ["fit", str(tmp_path / "rows.csv"), "--target", "Recommended IND", "--out", str(tmp_path / "o"), *settings]
        )
    assert ended.value.code == 0
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(tmp_path / "o" / "bundle"), "--rows", str(tmp_path / "rows.csv"),
              "--out", str(tmp_path / "a.jsonl")])  # fmt: skip
    assert ended.value.code == 0
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 300
    with pytest.raises(SystemExit) as ended:
        main(["columns", str(tmp_path / "o" / "bundle"), "--rows", str(tmp_path / "rows.csv"), "--limit", "2",
              "--out", str(tmp_path / "why")])  # fmt: skip
    assert ended.value.code == 0
    record = json.loads((tmp_path / "why" / "columns.json").read_text())
    assert set(record["metrics_without"]) == {"all", "text", "numbers", "categories"}
    assert len(record["rows"]) == len(list((tmp_path / "why").glob("*.png"))) == 2
