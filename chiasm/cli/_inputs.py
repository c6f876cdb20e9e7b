"""Arguments that several verbs share: one example, or a file of rows (private to the command line)."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from chiasm.data.column_map import ColumnGuess
    from chiasm.data.rows import Rows as ReadRows
    from chiasm.training.recipe import Recipe


class OnError(StrEnum):
    """What to do with rows that cannot be used."""

    stop = "stop"
    skip = "skip"


RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A name from `chiasm recipes list`, or a file that ends in .toml.")
]
Data = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Folder or file with the data; without it, the recipe's generated world."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one key of the recipe; may be repeated."),
]
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle folder that training left.")]
Images = Annotated[
    list[Path] | None,
    typer.Option("--image", metavar="FILE", help="An image; twice for a model that takes two."),
]
Text = Annotated[str | None, typer.Option(metavar="TEXT", help="The question, statement or sentence.")]
Graph = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A scene graph as JSON: GQA's form, or detections with name and box. For graph models."
    ),
]
Rows = Annotated[Path | None, typer.Option(metavar="FILE", help="Rows: .csv, .tsv, .jsonl, .json or .parquet.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column", metavar="COLUMN=ROLE", help="What a column of the rows is, e.g. question=text; else guessed."
    ),
]


Store = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="STORE",
        help="A feature store of the images' regions, by the extractor of the training.",
    ),
]


def one_or_rows(images: Sequence[Path] | None, text: str | None, graph: Path | None, rows: Path | None) -> bool:
    """Whether one example is given (True) or rows (False). Raises BadParameter unless exactly one of them is."""
    single = bool(images) or text is not None or graph is not None
    if single == (rows is not None):
        raise typer.BadParameter(
            "give either --rows FILE, or one example with --text TEXT and --image FILE (or --graph FILE)"
        )
    return single


def keep_inputs(out: Path, *inputs: Path | None) -> None:
    """Raises BadParameter when `out` is a file that is read."""
    if out.resolve() in [given.resolve() for given in inputs if given is not None]:
        raise typer.BadParameter(f"{out} would be written over what is read from it; give another file to write")


def example_roles(images: Sequence[Path] | None, text: str | None, graph: Path | None) -> dict[str, Any]:
    """The keywords of `Predictor.predict` for one example. Raises OSError, `DataError` naming a graph's file."""
    roles: dict[str, Any] = {} if text is None else {"text": text}
    if graph is not None:
        roles["graph"] = _json_of(graph)
    if images:
        roles["images"] = [str(image) for image in images]
    return roles


def _json_of(file: Path) -> Any:
    from chiasm.data.example import DataError

    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is no valid JSON ({error}): a scene graph is expected") from error


def column_map(columns: Sequence[str] | None) -> dict[str, str]:
    """{"question": "text"} of ["question=text"]. Raises BadParameter."""
    pairs = [column.rpartition("=") for column in columns or []]
    for name, equals, role in pairs:
        if not (name and equals and role):
            raise typer.BadParameter(f"{name + equals + role!r} should be COLUMN=ROLE, e.g. question=text")
    return {name: role for name, _, role in pairs}


def read_and_show(rows: Path, columns: Sequence[str] | None, on_error: str, recipe: Recipe | None = None) -> ReadRows:
    """The rows of a file; says on stderr what each column was taken for. Raises `DataError`.

    A column that `columns` do not name is what it was when `recipe` was trained, if that says so.
    """
    from chiasm.data.rows import read_rows
    from chiasm.data.table_files import read_raw
    from chiasm.training.fit import trained_columns

    trained = None if recipe is None else trained_columns(recipe, read_raw(rows).columns)
    read = read_rows(rows, {**(trained or {}), **(column_map(columns) or {})}, on_error=on_error)
    _show_columns(read.columns)
    return read


def show_guesses(recipe: Recipe, data: Path | None) -> None:
    """What each column of a file of rows is taken for, on stderr, before a recipe is trained on it."""
    if recipe.data.source != "rows" or data is None or not data.is_file():
        return
    from chiasm.data.column_map import override
    from chiasm.data.rows import guess

    _show_columns(override(guess(data)[1], recipe.data.options.get("columns")))


def _show_columns(columns: Sequence[ColumnGuess]) -> None:
    for column in columns:
        print(f"column {column.column!r}: {column.role} ({column.reason})", file=sys.stderr)


def changed_recipe(name: str, settings: Sequence[str]) -> Recipe:
    """The recipe `name` with some keys changed. A wrong setting is wrong usage; a wrong recipe file is not.

    Raises UnknownName, RecipeError, BadParameter.
    """
    from chiasm.training.errors import RecipeError
    from chiasm.training.recipe import load_recipe

    recipe = load_recipe(name)
    try:
        return recipe.with_settings(settings)
    except RecipeError as error:
        raise typer.BadParameter(f"--set: {error}") from error
