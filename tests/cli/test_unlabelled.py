"""Rows without an answer at the command line: official files for hidden answers, and a person's incomplete rows."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.training.data import world_folder
from chiasm.training.recipe import Recipe, load_recipe

from .untrained import untrained

Chiasm = Callable[..., int]
Captured = pytest.CaptureFixture[str]


def without_annotations(folder: Path) -> None:
    (found,) = folder.rglob("*_test_annotations.json")
    found.unlink()


def without_answers(folder: Path) -> None:
    file = folder / "questions" / "test_balanced_questions.json"
    questions = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({i: {**q, "answer": None} for i, q in questions.items()}), encoding="utf-8")


def without_labels(folder: Path) -> None:
    (file,) = folder.rglob("test.json")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        del line["label"]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


HIDDEN = {
    "lxmert_vqa": (without_annotations, "question_id"),
    "lxmert_gqa": (without_answers, "questionId"),
    "lxmert_nlvr2": (without_labels, "test-"),
    "lxmert_rows": (without_answers, "id,answer,probability"),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_where_answers_are_hidden_files_are_written_and_nothing_is_measured(
    chiasm: Chiasm, tmp_path: Path, capsys: Captured, name: str
) -> None:
    recipe, (hide, first) = load_recipe(name).tiny(), HIDDEN[name]
    bundle, data = untrained(recipe, tmp_path / "bundle"), tmp_path / "data"
    shutil.copytree(world_folder(recipe, show=False), data)
    hide(data)
    words = ("evaluate", bundle, "--data", data, "--split", "test")
    answers, official = tmp_path / "answers.jsonl", tmp_path / "official"
    assert chiasm(*words, "--predictions", answers, "--submission", official) == 0
    shown = capsys.readouterr().out
    assert "nothing is measured: no example has an answer to compare with" in shown
    assert f"written: {answers}\nwritten: {official}" in shown
    assert first in official.read_text(encoding="utf-8")[:40]
    assert len(answers.read_text(encoding="utf-8").splitlines()) > 3
    assert not (tmp_path / "evaluation.json").exists()
    assert chiasm(*words) == 1
    assert (
        "ask for the answers (--predictions FILE) or the official file (--submission FILE)" in capsys.readouterr().err
    )


@pytest.fixture(scope="module")
def small() -> Recipe:
    """LXMERT on a person's rows, small."""
    sizes = ("hidden_size=16", "num_attention_heads=2", "intermediate_size=32", "language_layers=1", "object_layers=1")
    settings = [*(f"options.{size}" for size in sizes), "options.cross_layers=1", "training.epochs=1"]
    return load_recipe("lxmert_rows").with_settings([*settings, "task.min_count=1", "training.trackers=[]"])


def rows_file(world: Path, file: Path, *, every: int = 0, count: int = 20) -> Path:
    """A question about each of the pictures; every so many are without an answer."""
    pictures = sorted((world / "images").glob("*.png"))[:count]
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["image", "question", "answer"])
        for number, picture in enumerate(pictures):
            answer = "" if every and number % every == 0 else ("red", "blue")[number % 2]
            writer.writerow([picture, f"what colour has thing {number} in the picture", answer])
    return file


def test_a_row_without_an_answer_does_not_end_a_training(
    chiasm: Chiasm, small: Recipe, world: Path, tmp_path: Path, capsys: Captured
) -> None:
    made = small.with_settings(["data.validation_share=0.5"])
    (tmp_path / "mine.toml").write_text(made.to_toml(), encoding="utf-8")
    rows = rows_file(world, tmp_path / "rows.csv", every=3)
    assert chiasm("train", tmp_path / "mine.toml", "--data", rows, "--out", tmp_path / "run") == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left out:")]
    assert told
    assert all("rows.csv, line" in line and "it has no answer" in line for line in told)
    record = json.loads((tmp_path / "run/metrics.json").read_text(encoding="utf-8"))
    assert record["examples"]["validation"] == record["metrics"]["validation"]["accuracy"]["n"] == 10 - len(told)


def test_a_bundle_of_a_persons_rows_is_evaluated_and_reported_without_naming_a_split(
    chiasm: Chiasm, small: Recipe, world: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "mine.toml").write_text(small.to_toml(), encoding="utf-8")
    rows, run = rows_file(world, tmp_path / "rows.csv"), tmp_path / "run"
    assert chiasm("train", tmp_path / "mine.toml", "--data", rows, "--out", run) == 0
    assert chiasm("evaluate", run / "bundle", "--data", rows) == 0
    assert "examples: the 2 of 20 rows that training held out" in capsys.readouterr().err
    trained, found = (
        json.loads((run / name).read_text(encoding="utf-8")) for name in ("metrics.json", "evaluation.json")
    )
    assert found["metrics"] == trained["metrics"]["validation"]
    other = rows_file(world, tmp_path / "new.csv", count=7)
    assert chiasm("evaluate", run / "bundle", "--data", other) == 0
    assert "examples: all 7 rows of split train; they are not those of the training" in capsys.readouterr().err
    assert chiasm("report", run, "--data", rows, "--examples", 1) == 0
    assert (run / "report.html").is_file()
