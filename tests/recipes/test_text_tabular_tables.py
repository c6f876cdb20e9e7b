"""Multimodal-Toolkit's table: every row loads, every combining method of the paper is one."""

from __future__ import annotations

import pytest

from chiasm.fusion.tabular import combiner_names
from chiasm.recipes.tables import table_names
from chiasm.training.recipe import load_recipe
from chiasm.training.tables import Table, load_table

TABLES = [name for name in table_names() if name.startswith("text_tabular/")]


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest) -> Table:
    return load_table(request.param)


def test_there_is_one_for_each_data_set() -> None:
    assert [name.split("_")[-1] for name in TABLES] == ["airbnb", "clothing", "petfinder"]


def test_every_row_is_a_recipe_with_changes_that_exist(table: Table) -> None:
    for row in table.rows:
        recipe = load_recipe(row.recipe).with_settings(row.settings)
        printed = dict(recipe.paper[row.name])
        assert printed == row.paper
    assert {row.name for row in table.rows} == {*combiner_names(), "unimodal"} - {"category_mlp_concat"}


def test_the_small_recipes_take_the_same_changes(table: Table) -> None:
    for row in table.rows:
        if "airbnb" not in row.recipe:
            sizes = (row.recipe, f"{row.recipe}_small")
            full, small = (load_recipe(name).with_settings(row.settings).identity() for name in sizes)
            for setting in row.settings:
                path, _, value = setting.partition("=")
                assert str(full[path]).lower() == str(small[path]).lower() == value
