"""`chiasm recipes` lists, shows and copies."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from chiasm.cli import main
from chiasm.recipes import recipe_names, recipe_text


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["recipes", *words])
    return int(ended.value.code or 0)


def test_list_names_every_recipe_with_its_title_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("list", "--json", str(tmp_path / "list.json")) == 0
    shown = capsys.readouterr().out
    titles = json.loads((tmp_path / "list.json").read_text())
    assert sorted(titles) == recipe_names()
    for name, title in titles.items():
        assert title, name
        assert f"{name} " in shown
        assert title in shown


def test_show_prints_the_file_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "demo") == 0
    assert capsys.readouterr().out == recipe_text("demo")


def test_an_unknown_recipe_is_wrong_usage_and_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "dmo") == 2
    assert "did you mean 'demo'" in capsys.readouterr().err


def test_a_copy_is_a_recipe_of_its_own(tmp_path: Path) -> None:
    target = tmp_path / "sub" / "mine.toml"
    assert run("copy", "demo", str(target)) == 0
    assert tomllib.loads(target.read_text()) == tomllib.loads(recipe_text("demo"))


def test_a_copy_does_not_write_over_a_file_unless_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "mine.toml"
    target.write_text("kept")
    assert run("copy", "demo", str(target)) == 1
    assert "--force" in capsys.readouterr().err
    assert target.read_text() == "kept"
    assert run("copy", "demo", str(target), "--force") == 0
    assert target.read_text() == recipe_text("demo")


def test_a_copy_that_train_could_not_find_is_refused(tmp_path: Path) -> None:
    assert run("copy", "demo", str(tmp_path / "mine")) == 2
