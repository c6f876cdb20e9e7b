"""`chiasm evaluate --set`: a trained model measured on data that is read in another way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Chiasm = Callable[..., int]
ALL = 'data.options.all_questions=["test"]'


@pytest.fixture
def data(world: Path, tmp_path: Path) -> Path:
    """The world with a file of all test questions: each balanced one entails its unbalanced copy."""
    folder = tmp_path / "data"
    shutil.copytree(world, folder)
    asked: dict[str, Any] = json.loads((folder / "questions" / "test_balanced_questions.json").read_text())
    balanced = {name: {**entry, "entailed": [f"{name} again"]} for name, entry in asked.items()}
    copies = {f"{name} again": {**entry, "isBalanced": False, "entailed": []} for name, entry in asked.items()}
    for kind, questions in (("balanced", balanced), ("all", balanced | copies)):
        (folder / "questions" / f"test_{kind}_questions.json").write_text(json.dumps(questions))
    return folder


def test_the_official_consistency_counts_entailed_questions_that_are_not_balanced(
    chiasm: Chiasm, trained: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for name, words in (("balanced", ()), ("all", ("--set", ALL))):
        out = data / f"{name}.json"
        assert chiasm("evaluate", trained / "bundle", "--data", data, "--split", "test", "--out", out, *words) == 0
        record = json.loads(out.read_text())
        found.append(record["metrics"])
        assert record["data_options"].get("all_questions", []) == (["test"] if words else [])
    balanced, official = found
    assert balanced["entailed_known"]["value"] == 0.0
    assert "consistency" not in balanced
    assert official["entailed_known"]["value"] == official["consistency"]["value"] == 1.0
    assert official["accuracy"] == balanced["accuracy"]  # of the balanced questions, as before
    assert ALL in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("data.options.boxs=true", "did you mean 'boxes'"),
        ("data.options.limit=many", "a whole number"),
        ("data.options.limit", "section.key=value"),
        ("training.lr=1e-3", "only data.options.KEY=VALUE"),
        ("data.test=[]", "only data.options.KEY=VALUE"),
    ],
)
def test_a_wrong_setting_is_wrong_usage(
    chiasm: Chiasm, trained: Path, capsys: pytest.CaptureFixture[str], setting: str, told: str
) -> None:
    assert chiasm("evaluate", trained / "bundle", "--set", setting) == 2
    told_all = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert told in told_all
    assert "--set" in told_all
