"""A whole run: what it leaves, what it refuses, bad rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import chiasm.synth
from chiasm.data.example import BadRows, DataError, Example, RowError, raise_rows
from chiasm.data.sources import source
from chiasm.training import data as data_file
from chiasm.training import loop as loop_file
from chiasm.training.data import BadRowPolicy, held_out, prepare, read_splits
from chiasm.training.errors import RecipeError
from chiasm.training.evaluate import evaluate
from chiasm.training.journal import read_journal
from chiasm.training.predict import predict
from chiasm.training.recipe import Recipe
from chiasm.training.run import train

Make = Callable[..., Recipe]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_run_leaves_metrics_predictions_and_the_recipe(recipe: Make, words: Path, tmp_path: Path) -> None:
    result = train(recipe("training.epochs=8"), data=words, out=tmp_path / "out", show=False)
    record = json.loads((result.out / "metrics.json").read_text(encoding="utf-8"))
    accuracy = record["metrics"]["test"]["accuracy"]
    assert accuracy == result.metrics["test"]["accuracy"].to_json()
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert accuracy["value"] > 0.8
    assert record["examples"] == {"train": 200, "validation": 200, "test": 200}
    assert record["training"]["ended_by"] == "epochs"
    assert record["generated_world"] is None
    said = lines(result.out / "predictions" / "test.jsonl")
    assert [line["id"] for line in said] == [example.id for example in result.splits["test"].examples]
    assert Recipe.from_toml((result.out / "recipe.toml").read_text(encoding="utf-8")) == result.recipe


def test_the_progress_is_shown_on_standard_error(
    recipe: Make, words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(recipe("training.epochs=1"), data=words, out=tmp_path / "out")
    shown = capsys.readouterr()
    assert "small: word_bag" in shown.err
    assert "200 train, 200 validation, 200 test" in shown.err
    assert "epoch 1/1  step 13/13  loss 0." in shown.err
    assert shown.out == ""


def test_a_bad_row_stops_the_run_by_its_name(recipe: Make, words: Path, tmp_path: Path) -> None:
    with pytest.raises(RowError, match=r"line 0, row train0"):
        train(recipe("data.options.bad=1"), data=words, out=tmp_path / "out", show=False)


def test_bad_rows_can_be_left_out_and_are_told(recipe: Make, words: Path, tmp_path: Path) -> None:
    made = recipe("data.options.bad=3")
    result = train(made, data=words, out=tmp_path / "out", on_error="skip", show=False)
    assert {name: len(dataset) for name, dataset in result.splits.items()} == dict.fromkeys(result.splits, 197)
    assert len(result.skipped) == 9
    record = json.loads((result.out / "metrics.json").read_text(encoding="utf-8"))
    assert len(record["skipped_rows"]) == 9
    assert "row train0" in record["skipped_rows"][0]


def test_only_bad_rows_are_an_error(recipe: Make, words: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no usable row is left: all 200 are bad"):
        train(recipe("data.options.bad=200"), data=words, out=tmp_path / "out", on_error="skip", show=False)


def test_no_data_folder_and_no_world_are_told(recipe: Make, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the data folder .* does not exist"):
        read_splits(recipe(), tmp_path / "nothing", BadRowPolicy())
    with pytest.raises(RecipeError, match=r"no generated world; say where the data is \(--data\)"):
        read_splits(recipe(), None, BadRowPolicy())


def test_an_empty_split_is_told(recipe: Make, words: Path) -> None:
    with pytest.raises(DataError, match="the split train of 'word_pairs' holds no example"):
        read_splits(recipe("data.options.count=0"), words, BadRowPolicy())


def test_the_world_is_generated_into_the_cache(
    recipe: Make, monkeypatch: pytest.MonkeyPatch, cache_folder: Path
) -> None:
    asked: dict[str, Any] = {}

    def generate(kind: str, folder: Path, **options: Any) -> Path:
        asked.update(kind=kind, folder=folder, **options)
        folder.mkdir(parents=True)
        return folder

    monkeypatch.setattr(chiasm.synth, "generate", generate)
    made = recipe("data.world.kind=scenes", "data.world.seed=3", "data.world.scenes=5")
    assert len(read_splits(made, None, BadRowPolicy(), show=False)["train"]) == 200
    folder = asked.pop("folder")
    assert asked == {"kind": "scenes", "seed": 3, "progress": False, "scenes": 5}
    assert folder.parent == cache_folder / "worlds"
    other = recipe("data.world.kind=scenes", "data.world.seed=4", "data.world.scenes=5")
    assert data_file.world_folder(other, show=False) != folder


def test_a_wrong_world_is_a_mistake_in_the_recipe(recipe: Make) -> None:
    with pytest.raises(RecipeError, match=r"data.world: .*scene"):
        data_file.world_folder(recipe("data.world.kind=scenes", "data.world.scense=5"), show=False)
    with pytest.raises(RecipeError, match=r"data.world: missing kind"):
        data_file.world_folder(recipe("data.world.scenes=5"), show=False)


def test_a_share_of_the_images_is_held_out() -> None:
    examples = [Example(str(i), {"images": (f"{i % 10}.png",)}) for i in range(100)]
    train_part, validation = held_out(examples, 0.2, seed=0)
    images = [{example.values["images"] for example in part} for part in (train_part, validation)]
    assert (len(images[0]), len(images[1])) == (8, 2)
    assert not images[0] & images[1]
    assert held_out(examples, 0.2, seed=0) == (train_part, validation)
    assert held_out(examples, 0.2, seed=1) != (train_part, validation)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_an_impossible_share_is_told(share: float) -> None:
    with pytest.raises(RecipeError, match="validation_share: must be between 0 and 1"):
        held_out([Example("a", {})], share, seed=0)


def test_the_held_out_share_is_used_when_there_is_no_validation_split(recipe: Make, words: Path) -> None:
    splits = read_splits(recipe("data.validation=[]", "data.validation_share=0.25"), words, BadRowPolicy())
    assert (len(splits["train"]), len(splits["validation"])) == (150, 50)


def test_training_examples_are_needed(recipe: Make) -> None:
    with pytest.raises(DataError, match="there are no training examples"):
        prepare(recipe(), {"train": []}, BadRowPolicy())


def test_a_bundle_is_evaluated_on_other_data(recipe: Make, words: Path, tmp_path: Path) -> None:
    result = train(recipe("training.epochs=1"), data=words, out=tmp_path / "out", show=False)
    files = {name: tmp_path / "new" / name for name in ("metrics", "predictions", "submission")}
    metrics = evaluate(result.bundle, words, split="other", show=False, **files)
    record = json.loads(files["metrics"].read_text(encoding="utf-8"))
    assert record["metrics"]["accuracy"] == metrics["accuracy"].to_json()
    assert len(lines(files["predictions"])) == 200
    assert files["submission"].read_text(encoding="utf-8").startswith("other0,")
    assert evaluate(result.bundle, words, show=False) == result.metrics["test"]
    examples = source("word_pairs").read(words, "test", count=5)
    assert evaluate(result.bundle, examples, show=False)["accuracy"].n == 5


def test_predictions_keep_the_order_whatever_the_lengths(recipe: Make, words: Path) -> None:
    made = recipe()
    prepared = prepare(made, read_splits(made, words, BadRowPolicy()), BadRowPolicy())
    from chiasm.training.bundle import build_model

    model = build_model(made, prepared.facts, prepared.task)
    dataset = prepared.splits["test"]
    together = predict(model, prepared.task, dataset, batch_size=7)
    assert [answer.id for answer in together] == [example.id for example in dataset.examples]
    some = predict(model, prepared.task, dataset, positions=torch.tensor([5, 3]))
    assert [answer.id for answer in some] == ["test5", "test3"]
    assert model.training


def test_a_submission_that_fails_leaves_the_former_files(
    recipe: Make, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = train(recipe("training.epochs=1"), data=words, out=tmp_path / "out", show=False)
    answers, official = tmp_path / "answers.jsonl", tmp_path / "official.json"
    for path in (answers, official):
        path.write_text("former", encoding="utf-8")

    def submission(task: object, predictions: object, path: Path) -> None:
        path.write_text("half", encoding="utf-8")
        raise DataError("no whole number")

    monkeypatch.setattr(type(result.bundle.task), "submission", submission)
    examples = result.splits["test"].examples
    with pytest.raises(DataError, match="no whole number"):
        evaluate(result.bundle, examples, submission=official, show=False)
    monkeypatch.setattr("chiasm.training.evaluate.prediction_line", lambda answer: {"id": object()})
    with pytest.raises(TypeError):
        evaluate(result.bundle, examples, predictions=answers, show=False)
    assert [path.read_text(encoding="utf-8") for path in (answers, official)] == ["former", "former"]


def test_the_log_holds_an_undefined_metric_as_null_and_reads_it_back(
    recipe: Make, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_file, "validate", lambda setup: {"accuracy": 0.5, "auc": math.nan})
    out = train(recipe("training.epochs=1"), data=words, out=tmp_path / "out", show=False).out
    assert '"auc": null' in (out / "log.jsonl").read_text(encoding="utf-8")
    assert math.isnan(read_journal(out / "log.jsonl")[-1]["validation"]["auc"])


def test_a_source_that_names_bad_rows_is_read_without_them(
    recipe: Make, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = source("word_pairs").read

    def read(folder: Path, split: str, **options: Any) -> list[Example]:
        raise_rows([RowError("no picture", origin=f"{split}.csv, line 3")], usable=good(folder, split, **options))
        return []

    monkeypatch.setattr(source("word_pairs"), "read", read)
    made = recipe("training.epochs=1").with_settings(["data.options={}"])
    with pytest.raises(BadRows, match=r"train.csv, line 3: no picture"):
        train(made, data=words, out=tmp_path / "out", show=False)
    result = train(made, data=words, out=tmp_path / "out", on_error="skip", show=False)
    assert [error.origin for error in result.skipped] == ["train.csv, line 3", "val.csv, line 3", "test.csv, line 3"]


def test_an_evaluation_can_leave_bad_rows_out(recipe: Make, words: Path, tmp_path: Path) -> None:
    result = train(recipe("training.epochs=1"), data=words, out=tmp_path / "out", show=False)
    examples = source("word_pairs").read(words, "test", count=20, bad=2)
    with pytest.raises(BadRows, match="row test1"):
        evaluate(result.bundle, examples, show=False)
    file = tmp_path / "metrics.json"
    assert evaluate(result.bundle, examples, on_error="skip", metrics=file, show=False)["accuracy"].n == 18
    assert len(json.loads(file.read_text(encoding="utf-8"))["skipped_rows"]) == 2
