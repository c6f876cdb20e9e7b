"""Which rows are measured when a recipe names neither a test nor a validation split."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chiasm.data.example import DataError, Example
from chiasm.data.sources import source
from chiasm.report.run import explained_of_run
from chiasm.training.data import BadRowPolicy, fingerprint, read_measured, read_named
from chiasm.training.evaluate import evaluate
from chiasm.training.recipe import Recipe
from chiasm.training.run import RunResult, train

Make = Callable[..., Recipe]
SHARED = ("data.validation=[]", "data.test=[]", "data.validation_share=0.25", "training.epochs=1")


@pytest.fixture
def run(recipe: Make, words: Path, tmp_path: Path) -> RunResult:
    """A run on rows of which a quarter was held out."""
    return train(recipe(*SHARED), data=words, out=tmp_path / "out", show=False)


def other_rows(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """The source gives the rows of another file."""
    read = source("word_pairs").read
    monkeypatch.setattr(source("word_pairs"), "read", lambda folder, split, **_: read(folder, "new", count=count))


def test_on_the_data_of_the_training_it_is_the_share_held_out(
    run: RunResult, words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(run.bundle, words, metrics=tmp_path / "new.json") == run.metrics["validation"]
    assert "examples: the 50 of 200 rows that training held out" in capsys.readouterr().err
    record = json.loads((tmp_path / "new.json").read_text(encoding="utf-8"))
    assert record["rows"] == "the 50 of 200 rows that training held out"


@pytest.mark.parametrize("count", [1, 30])
def test_on_other_data_it_is_all_rows(
    run: RunResult, words: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    other_rows(monkeypatch, count)
    assert evaluate(run.bundle, words)["accuracy"].n == count
    assert f"examples: all {count} rows of split train; they are not those of the training" in capsys.readouterr().err


def test_a_bundle_that_does_not_say_its_data_is_measured_on_all_rows_and_that_is_told(
    run: RunResult, words: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(replace(run.bundle, metrics={}), words)["accuracy"].n == 200
    assert "the bundle does not say whether it was trained on them" in capsys.readouterr().err


def test_rows_that_were_all_trained_on_are_refused(recipe: Make, words: Path, tmp_path: Path) -> None:
    made = recipe(*SHARED, "data.validation_share=0")
    bundle = train(made, data=words, out=tmp_path / "out", show=False).bundle
    with pytest.raises(DataError, match="holds the rows the model was trained on, and none was held out"):
        evaluate(bundle, words, show=False)
    assert evaluate(bundle, words, split="other", show=False)["accuracy"].n == 200


def test_a_split_without_a_name_is_never_read(recipe: Make, words: Path) -> None:
    with pytest.raises(DataError, match="neither a test nor a validation split; name a split"):
        read_named(recipe(*SHARED), words, (), BadRowPolicy())


def test_a_report_explains_rows_that_were_held_out(
    run: RunResult, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []
    monkeypatch.setattr("chiasm.report.run.explained", lambda _, rows, *__: found.extend(row.id for row in rows) or [])
    explained_of_run(run.out, None, words, 50)
    assert set(found) <= {example.id for example in run.splits["validation"].examples}
    assert found


def test_the_rows_of_the_training_are_known_after_saving(run: RunResult, words: Path) -> None:
    record = json.loads((run.out / "bundle/metrics.json").read_text(encoding="utf-8"))
    rows, which = read_measured(run.recipe, words, None, BadRowPolicy(), record["data_fingerprint"])
    assert [row.id for row in rows] == [row.id for row in run.splits["validation"].examples]
    assert "held out" in which


ROW = Example("1", {"text": "what is it", "images": ("a/1.png",), "answer": ["yes", "no"], "table": {"n": 1.0}})


@pytest.mark.parametrize(
    "changed",
    [{"text": "what was it"}, {"answer": ["no", "yes"]}, {"answer": None}, {"images": ("a/2.png",)}, {"table": {}}],
)
def test_a_fingerprint_tells_what_an_example_says(changed: dict[str, object]) -> None:
    other = replace(ROW, values={**ROW.values, **changed})
    assert fingerprint({"train": [other]}) != fingerprint({"train": [ROW]})


def test_a_fingerprint_does_not_tell_folders_addresses_and_processes() -> None:
    moved = replace(ROW, values={**ROW.values, "images": (Path("/elsewhere/1.png"),)}, origin="other.csv")
    assert fingerprint({"train": [moved]}) == fingerprint({"train": [ROW]}) == "a0e1e65317e84a61"
    pictures = [Example("1", {"images": (Image.new("RGB", (2, 3)), np.zeros((2, 3)), object())}) for _ in range(2)]
    assert fingerprint({"train": pictures[:1]}) == fingerprint({"train": pictures[1:]})
