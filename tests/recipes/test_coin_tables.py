"""COIN's tables: every row is a recipe that loads with its changes, and prints what the paper prints."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import chiasm.recipes
from chiasm.training.recipe import load_recipe

TABLES = sorted((Path(chiasm.recipes.__file__).parent / "tables" / "coin").glob("*.toml"))
NAMED = {
    "coin_full", "coin_no_at", "coin_no_smi", "coin_no_at_no_smi",
    *(f"mod_{m}" for m in ("t", "a", "v", "ta", "tv", "av", "tav")),
    *(f"d_{d}" for d in (50, 100, 150, 200)),
    *(f"L_{n}" for n in range(1, 7)),
    *(f"K_{k}" for k in (20, 30, 40, 50)),
    *(f"keep_{p}" for p in (0.2, 0.3, 0.4)),
}  # fmt: skip


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_is_a_recipe_with_changes_that_exist(path: Path) -> None:
    table = tomllib.loads(path.read_text())
    assert table["reference"] in {row["name"] for row in table["rows"]}
    for row in table["rows"]:
        if row["recipe"]:
            load_recipe(row["recipe"]).with_settings(row.get("settings", []))
        else:
            assert row["paper"]


def test_every_configuration_that_the_sheet_names_is_a_row() -> None:
    rows = {row["name"] for path in TABLES for row in tomllib.loads(path.read_text())["rows"]}
    assert rows >= NAMED
    assert {"ICON", "ICON+AT", "DialogueRNN", "DialogueRNN+AT", "DialogueGCN", "DialogueGCN+AT"} <= rows


def test_the_first_table_names_what_its_columns_are() -> None:
    rows = {row["name"]: row["paper"] for row in tomllib.loads(TABLES[0].read_text())["rows"]}
    assert rows["COIN"]["precision/hap"] == 53.12
    assert rows["ICON"]["recall/hap"] == 23.6
    assert rows["COIN"]["accuracy"] == 65.37
    assert "precision/hap" not in rows["ICON"]
