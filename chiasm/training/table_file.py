"""What a table's file says: rows that are recipes with changes, what they are measured on, and what they start from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chiasm.recipes.tables import table_path
from chiasm.registry import nearest
from chiasm.training.errors import RecipeError


@dataclass(frozen=True)
class Stage:
    """A training that comes before: a recipe with changes, begun with the weights of the stage `after`."""

    name: str
    recipe: str
    settings: tuple[str, ...] = ()
    after: str = ""


@dataclass(frozen=True)
class Row:
    """One line of a table: a recipe (or one for each part of the table), what it changes, what the paper prints."""

    name: str
    recipe: str = ""  # "" without parts: printed numbers only
    settings: tuple[str, ...] = ()
    paper: Mapping[str, float] = field(default_factory=dict)
    after: str = ""  # the stage whose weights the row begins with
    parts: tuple[str, ...] | None = None  # None: all of the table's
    part_settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what the row changes in one part


@dataclass(frozen=True)
class Table:
    """A published table. Printed numbers are shares, whatever the file's unit.

    `parts` are the data sets that every row is trained and measured on, each with its own recipe: the measures of
    part "vqa" are called "vqa:accuracy", ...
    """

    title: str
    columns: tuple[str, ...]
    reference: str
    rows: tuple[Row, ...]
    parts: Mapping[str, Stage] = field(default_factory=dict)
    stages: Mapping[str, Stage] = field(default_factory=dict)

    def runs(self, row: Row) -> list[Stage]:
        """The trainings that measure a row: one for each part, or one without a part's name, or none."""
        if self.parts:
            chosen = self.parts if row.parts is None else {name: self.parts[name] for name in row.parts}
            own = row.part_settings
            return [
                Stage(name, part.recipe, (*part.settings, *row.settings, *own.get(name, ())), row.after)
                for name, part in chosen.items()
            ]
        return [Stage("", row.recipe, row.settings, row.after)] if row.recipe else []

    def before(self, stage: str) -> list[Stage]:
        """The stages up to and including this one, the first to run first. Raises `RecipeError` for a circle."""
        found: list[Stage] = []
        while stage:
            if any(one.name == stage for one in found):
                raise RecipeError(f"the stages of {self.title!r} go in a circle at {stage!r}")
            found.insert(0, self.stages[stage])
            stage = found[0].after
        return found


def load_table(name_or_path: str | Path) -> Table:
    """The table called so in `chiasm/recipes/tables`, or in a file that ends in .toml. Raises `RecipeError`."""
    given = str(name_or_path)
    path = Path(given) if given.endswith(".toml") else table_path(given)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        scale = {"per cent": 100.0, "": 1.0}[raw.get("unit", "")]
        table = Table(
            str(raw.get("title", given)),
            tuple(raw.get("columns", ())),
            str(raw.get("reference", "")),
            tuple(_row(row, scale) for row in raw["rows"]),
            {name: _stage(name, part) for name, part in raw.get("parts", {}).items()},
            {name: _stage(name, stage) for name, stage in raw.get("stages", {}).items()},
        )
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise RecipeError(f"{given} is no table of recipes: {type(error).__name__} {error}") from error
    _check_names(table)
    return table


def _check_names(table: Table) -> None:
    """Every stage and part that is named is there."""
    after = [*(row.after for row in table.rows), *(stage.after for stage in table.stages.values())]
    for name in filter(None, after):
        if name not in table.stages:
            raise RecipeError(nearest(name, table.stages, what="stage"))
    for row in table.rows:
        for part in (*(row.parts or ()), *row.part_settings):
            if part not in table.parts:
                raise RecipeError(nearest(part, table.parts, what="part"))
        if not table.parts and row.parts:
            raise RecipeError(f"row {row.name!r} has parts, the table has none")


def _row(raw: Mapping[str, Any], scale: float) -> Row:
    paper = {measure: float(value) / scale for measure, value in raw.get("paper", {}).items()}
    parts = raw.get("parts")
    return Row(
        str(raw["name"]),
        str(raw.get("recipe", "")),
        tuple(raw.get("settings", ())),
        paper,
        str(raw.get("after", "")),
        None if parts is None else tuple(parts),
        {part: tuple(settings) for part, settings in raw.get("part_settings", {}).items()},
    )


def _stage(name: str, raw: Any) -> Stage:
    if isinstance(raw, str):
        return Stage(name, raw)
    return Stage(name, str(raw["recipe"]), tuple(raw.get("settings", ())), str(raw.get("after", "")))
