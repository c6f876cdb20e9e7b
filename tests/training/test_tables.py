"""A table is run row by row: kept runs are read, printed numbers stand beside ours, rows are tested in pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiasm.registry import UnknownName
from chiasm.report.table_picture import table_picture
from chiasm.training import tables
from chiasm.training.errors import RecipeError
from chiasm.training.table_file import load_table
from chiasm.training.table_text import table_lines, table_record
from chiasm.training.tables import run_table

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
    assert set(again[1].against) == {""}
    assert again[2].against == {}
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


PARTS = """
title = "A table of two parts, begun with a stage"
columns = ["gqa:accuracy", "nlvr2:accuracy"]
reference = "begun"
[parts]
gqa = "lxmert_world_gqa"
nlvr2 = { recipe = "lxmert_world_nlvr2", settings = ["training.lr=1e-3"] }
[stages.words]
recipe = "lxmert_world_pretrain"
settings = ["task.losses=['words', 'matched']"]
[stages.all]
recipe = "lxmert_world_pretrain"
after = "words"
[[rows]]
name = "begun"
after = "all"
settings = ["training.start_options.answers=false"]
[[rows]]
name = "alone"
parts = ["nlvr2"]
part_settings = { nlvr2 = ["training.start={data}/none"] }
paper = { "nlvr2:accuracy" = 0.5 }
[[rows]]
name = "printed"
parts = []
paper = { "gqa:accuracy" = 0.25 }
"""


def test_rows_of_parts_begin_with_their_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parts.toml").write_text(PARTS)
    table, out = load_table(tmp_path / "parts.toml"), tmp_path / "out"
    quick = [*FAST, "training.max_steps=2"]
    first = run_table(table, None, out, tiny=True, settings=quick, show=False)
    assert {"gqa:accuracy", "nlvr2:accuracy"} <= set(first[0].seeds[0])
    assert "gqa:accuracy" not in first[1].seeds[0]
    assert first[2].seeds == ()
    assert set(first[1].against) == {"nlvr2"}
    assert (out / "stages" / "all" / "0" / "bundle" / "recipe.toml").read_text().count("stages/words/0/bundle") >= 1
    assert "stages/all/0/bundle" in (out / "begun" / "nlvr2" / "0" / "recipe.toml").read_text()
    monkeypatch.setattr(tables, "train", None)
    again = run_table(table, None, out, tiny=True, settings=quick, show=False)
    assert [one.seeds for one in again] == [one.seeds for one in first]
    lines = table_lines(table, again, generated=True)
    assert lines[0][1:] == [
        "gqa:accuracy: paper", "gqa:accuracy: on generated data",
        "nlvr2:accuracy: paper", "nlvr2:accuracy: on generated data", "gqa minus begun", "nlvr2 minus begun",
    ]  # fmt: skip
    assert lines[3] == ["printed", "25.00", "-", "-", "-", "-", "-"]
    table_picture(table, again, tmp_path / "table.png", generated=True)
    assert (tmp_path / "table.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(RecipeError, match="needs files of the data folder"):
        run_table(table, None, out, only=["alone"], show=False)


def test_stages_that_are_not_there_or_go_in_a_circle_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(PARTS.replace('after = "all"', 'after = "al"'))
    with pytest.raises(RecipeError, match="unknown stage 'al'; did you mean 'all'"):
        load_table(file)
    file.write_text(PARTS.replace('after = "words"', 'after = "all"'))
    with pytest.raises(RecipeError, match="go in a circle at 'all'"):
        load_table(file).before("all")
    file.write_text(PARTS.replace('parts = ["nlvr2"]', 'parts = ["nlvr"]'))
    with pytest.raises(RecipeError, match="unknown part 'nlvr'; did you mean 'nlvr2'"):
        load_table(file)


def test_an_unknown_table_or_row_gets_the_nearest_name(small: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown table 'coin/figure2'; did you mean 'coin/figure2"):
        load_table("coin/figure2")
    with pytest.raises(RecipeError, match="unknown row 'ful'; did you mean 'full'"):
        run_table(load_table(small), None, tmp_path, only=["ful"])
    (tmp_path / "bad.toml").write_text("rows = 3")
    with pytest.raises(RecipeError, match="is no table of recipes"):
        load_table(tmp_path / "bad.toml")
