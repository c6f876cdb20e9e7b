"""`chiasm table`: lists tables, runs one row of one, writes text, Markdown and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chiasm.cli.table import command
from chiasm.metrics import translation


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
    assert "notes" not in rows["COIN"]
    assert "notes" not in json.loads((tmp_path / "COIN" / "0" / "metrics.json").read_text())


def test_how_bleu_is_counted_stands_below_the_table_and_in_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signature = f"sacrebleu {translation.signature()}"
    row, settings = "Multi30k DE-EN trained", ["training.epochs=1", "training.trackers=[]"]
    for _ in range(2):  # run, and read again
        command("fixed_targets/2", None, tmp_path, 1, [row], settings, tiny=True)
        assert f"\nbleu: {signature}\n" in capsys.readouterr().out
    for ending in ("txt", "md"):
        assert (tmp_path / f"table.{ending}").read_text().endswith(f"\nbleu: {signature}\n")
    rows = {row["name"]: row for row in json.loads((tmp_path / "table.json").read_text())["rows"]}
    assert rows[row]["notes"] == {"bleu": signature}
    measured = json.loads((tmp_path / "Multi30k_DE-EN_trained" / "0" / "metrics.json").read_text())
    assert measured["notes"] == {"bleu": signature}
