"""From a run's folder to its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chiasm.report import run as module
from chiasm.report.page import render
from chiasm.report.run import RunError, estimates, report_of_run, run_record, split_of
from tests.serve.small import examples, small_bundle

NUMBER = {"value": 0.9, "low": 0.85, "high": 0.95, "n": 200}
RECORD: dict[str, Any] = {
    "recipe": "demo",
    "title": "A demo",
    "generated_world": {"kind": "scenes", "scenes": 100},
    "examples": {"train": 1000, "test": 200},
    "metrics": {"validation": {"accuracy": {**NUMBER, "value": 0.8}}, "test": {"accuracy": NUMBER}},
    "paper": {"accuracy": 60.0},
    "environment": {"seed": 7},
}


@pytest.fixture(autouse=True)
def bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report takes only the task's headline and the recipe from the bundle."""
    made = small_bundle(examples(1))
    monkeypatch.setattr(module.Bundle, "load", lambda _: made)


def write(folder: Path, record: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(record))
    (folder / "log.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    return folder


def test_a_run_is_read_back_from_its_folder(tmp_path: Path) -> None:
    report = report_of_run(write(tmp_path, RECORD))
    assert report.metrics["accuracy"].value == 0.9
    assert report.generated
    assert report.journal == [{"step": 1, "loss": 2.0}]
    assert report.subtitle == "demo, split test"
    assert "A demo" in render(report)


def test_it_says_how_metrics_were_counted(tmp_path: Path) -> None:
    counted = {**RECORD, "notes": {"bleu": "sacrebleu case:lc|tok:13a"}}
    assert "bleu: sacrebleu case:lc|tok:13a" in render(report_of_run(write(tmp_path, counted)))


def test_printed_numbers_are_shown_for_real_data_only(tmp_path: Path) -> None:
    assert report_of_run(write(tmp_path, RECORD)).paper == {}
    assert report_of_run(write(tmp_path, {**RECORD, "generated_world": None})).paper == {"accuracy": 60.0}


def test_the_demonstration_brings_its_baselines(tmp_path: Path) -> None:
    demo = {"question_only": NUMBER, "majority": NUMBER, "shuffled_images": NUMBER, "generated_world": True}
    report = report_of_run(write(tmp_path, {**demo, "run": RECORD}))
    assert list(report.baselines) == ["question only", "majority answer", "shuffled images"]
    assert report.metrics["accuracy"].n == 200


def test_other_runs_stand_beside_it_on_the_same_split(tmp_path: Path) -> None:
    other = write(tmp_path / "other", {**RECORD, "metrics": {"test": {"accuracy": {**NUMBER, "value": 0.4}}}})
    report = report_of_run(write(tmp_path / "run", RECORD), baselines={"text only": other})
    assert report.baselines["text only"].value == 0.4
    with pytest.raises(RunError, match="has no split 'validation'; measured: test"):
        report_of_run(tmp_path / "run", split="validation", baselines={"text only": other})


def test_another_split_can_be_asked_for_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    record = run_record(write(tmp_path, RECORD))
    assert split_of(record, "validation", tmp_path) == "validation"
    with pytest.raises(RunError, match="has no split 'dev'; measured: validation, test"):
        split_of(record, "dev", tmp_path)


@pytest.mark.parametrize(("text", "reason"), [("{", "cannot be read"), ("[]", "holds no JSON"), ("{}", "no 'metrics'")])
def test_a_folder_without_a_finished_run_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(RunError, match=reason):
        run_record(tmp_path)
    with pytest.raises(RunError, match="holds no finished run"):
        run_record(tmp_path / "nowhere")


def test_an_unknown_value_stays_unknown() -> None:
    assert str(estimates({"a": {"value": None, "low": 0, "high": 1, "n": 0}})["a"].value) == "nan"
