"""A table is run row by row: kept runs are read, printed numbers stand beside ours, rows are tested in pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiasm.registry import UnknownName
from chiasm.training import tables
from chiasm.training.errors import RecipeError
from chiasm.training.tables import load_table, run_table, table_lines, table_record

SMALL = """
title = "A small table"
unit = "per cent"
columns = ["accuracy"]
reference = "full"
[[rows]]
name = "printed"
recipe = ""
paper = { accuracy = 64.0 }
[[rows]]
name = "without"
recipe = "coin_planted"
settings = ["options.mutual_interaction=false"]
paper = { accuracy = 65.5 }
[[rows]]
name = "full"
recipe = "coin_planted"
"""
FAST = ["training.epochs=1", "training.trackers=[]"]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_rows_are_run_once_and_read_afterwards(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = load_table(small)
    first = run_table(table, None, tmp_path / "out", seeds=2, tiny=True, settings=FAST, show=False)
    assert [len(one.seeds) for one in first] == [0, 2, 2]
    monkeypatch.setattr(tables, "train", None)  # would fail if it were called
    again = run_table(table, None, tmp_path / "out", seeds=2, tiny=True, settings=FAST, show=False)
    assert [one.estimate("accuracy") for one in again] == [one.estimate("accuracy") for one in first]
    assert again[1].against == first[1].against
    assert again[1].against is not None
    assert again[2].against is None
    lines = table_lines(table, again, generated=True)
    assert lines[0] == ["row", "accuracy: paper", "accuracy: on generated data", "accuracy minus full"]
    assert [line[1] for line in lines[1:]] == ["64.00", "65.50", "-"]
    assert lines[1][2:] == ["-", "-"]
    assert " sd " in lines[2][2]
    assert table_record(table, again, data=None)["data"] == "the recipes' generated worlds"


def test_another_setting_is_not_taken_for_the_same_run(small: Path, tmp_path: Path) -> None:
    table = load_table(small)
    run_table(table, None, tmp_path / "out", tiny=True, only=["full"], settings=FAST, show=False)
    changed = [*FAST, "options.hidden_size=8"]
    run_table(table, None, tmp_path / "out", tiny=True, only=["full"], settings=changed, show=False)
    kept = (tmp_path / "out" / "full" / "0" / "row.json").read_text()
    assert '"options.hidden_size": 8' in kept


def test_an_unknown_table_or_row_gets_the_nearest_name(small: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown table 'coin/figure2'; did you mean 'coin/figure2"):
        load_table("coin/figure2")
    with pytest.raises(RecipeError, match="unknown row 'ful'; did you mean 'full'"):
        run_table(load_table(small), None, tmp_path, only=["ful"])
    (tmp_path / "bad.toml").write_text("rows = 3")
    with pytest.raises(RecipeError, match="is no table of recipes"):
        load_table(tmp_path / "bad.toml")
