"""`chiasm table`: lists tables, runs one row of one, writes text, Markdown and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chiasm.cli.table import command


def test_without_a_name_all_tables_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    command()
    assert "coin/1" in capsys.readouterr().out.split()


def test_a_row_is_run_and_stands_beside_the_printed_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["training.epochs=1", "training.trackers=[]"]
    command("coin/1", None, tmp_path, 1, ["COIN"], settings, tiny=True)
    shown = capsys.readouterr().out
    assert "accuracy: on generated data" in shown
    assert "62.75" in shown  # DialogueRNN, printed only
    assert (tmp_path / "table.md").read_text().count("\n| ") >= 11
    rows = {row["name"]: row for row in json.loads((tmp_path / "table.json").read_text())["rows"]}
    assert rows["COIN"]["seeds"][0]["accuracy"]["n"] > 0
    assert rows["ICON"]["seeds"] == []
    assert rows["COIN"]["paper"]["accuracy"] == pytest.approx(0.6537)
