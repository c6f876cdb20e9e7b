"""Three lines from a table of rows to a model: `fit`.

What each column is comes from its name and cells and is shown; what is to be learnt from the target's cells: few
different values are classes, many numbers are a number. The rows are divided into training, validation and test rows;
everything is learnt from training rows only. The recipe is `text_tabular_rows`, without [text] or [table] where the
rows have none.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from chiasm.data.column_map import ColumnGuess, guess_columns, override
from chiasm.data.example import DataError
from chiasm.data.rows import read_rows
from chiasm.data.table_files import RawRows, read_raw
from chiasm.data.vocabulary import is_missing, text_of
from chiasm.training.data import OnError, held_out
from chiasm.training.progress import progress
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import RunResult, train

RECIPE = "text_tabular_rows"
MANY = 20  # with more different numbers than this the target is a number
STEPS = 400  # of training, about
NAMES_A_ROW = re.compile(r"^[Uu]nnamed(: \d+)?(\.\d+)*$|(\b|_)(id|ID|Id)$|[a-z]ID$")  # an index, an identifier


def fit(
    rows: Any,
    target: str,
    *,
    columns: Mapping[str, str] | None = None,
    task: Literal["guess", "classify", "regress"] = "guess",
    recipe: str | Path = RECIPE,
    settings: Sequence[str] = (),
    validation_share: float = 0.15,
    test_share: float = 0.15,
    out: Path | str = "runs/fit",
    overwrite: bool = True,
    on_error: OnError = "stop",
    show: bool | None = None,
) -> RunResult:
    """Train on `rows` (a file, a DataFrame, a Hugging Face data set, a list of mappings) to tell the column `target`.

    - `columns`: column -> role ("text", "number", "category", "ignore") where the guess is wrong
    - `settings`: changes of the recipe, as "options.combine=attention"
    - rows without a target are left out, and counted in what is shown

    Raises `DataError` for a column that is not there, no usable column, and too few rows; what `train` raises.
    """
    note = progress(show).note
    raw = read_raw(rows)
    decided = decide(raw, target, columns)
    for guess in decided:
        note(f"  {guess.column:<28} {guess.role:<9} {guess.reason}")
    read = read_rows(rows, {guess.column: guess.role for guess in decided}, on_error=on_error)
    labelled = [e for e in read.examples if e.values.get("answer") is not None]
    left_out = len(read.examples) - len(labelled)
    if left_out or read.errors:
        note(f"  {left_out} rows have no {target!r} and are left out; {len(read.errors)} are bad")
    if len(labelled) < 10:
        raise DataError(f"{len(labelled)} rows with a {target!r} are too few to learn from; 10 is the least")
    chosen = adapt(load_recipe(recipe), decided, [e.values["answer"] for e in labelled], task)
    seed = chosen.training.seed
    rest, test = held_out(labelled, test_share, seed)
    training, validation = held_out(rest, validation_share / (1 - test_share), seed + 1)
    chosen = sized(chosen, len(training)).with_settings(settings)
    splits = {"train": training, "validation": validation, "test": test}
    return train(chosen, splits, out, overwrite=overwrite, on_error=on_error, show=show)


def decide(raw: RawRows, target: str, columns: Mapping[str, str] | None = None) -> list[ColumnGuess]:
    """The role of every column. Identifiers are ignored, unless they are named. Raises `DataError`."""
    given = {**(columns or {}), target: "answer"}
    named = {c: "ignore" for c in raw.columns if c not in given and NAMES_A_ROW.search(c)}
    return override(guess_columns(raw), {**named, **given})


def adapt(recipe: Recipe, columns: Sequence[ColumnGuess], targets: Sequence[Any], task: str) -> Recipe:
    """The recipe for these columns and this target. Raises `DataError` when no column can be learnt from."""
    raw: dict[str, Any] = copy.deepcopy(dict(recipe.raw))
    by_role = {role: [c.column for c in columns if c.role == role] for role in ("text", "number", "category")}
    raw["task"] = _task(targets, task)
    raw["data"] = {"source": "rows", "train": ["train"], "validation": ["validation"], "test": ["test"]}
    raw["data"]["options"] = {"columns": {c.column: c.role for c in columns}}
    raw["table"] = {**raw["table"], "numbers": by_role["number"], "categories": by_role["category"]}
    if not by_role["number"] and not by_role["category"]:
        raw.pop("table")
        raw["options"] |= {"combine": "text_only"}
    if not by_role["text"]:
        raw.pop("text")
        raw["options"] |= {"combine": "concat", "use_text": False}
    if not any(by_role.values()):
        told = ", ".join(f"{c.column} ({c.role})" for c in columns)
        raise DataError(f"no column is text, a number or a category: {told}. Say what they are with `columns`")
    raw.pop("tiny", None)
    return Recipe(raw)


def sized(recipe: Recipe, rows: int) -> Recipe:
    """The recipe with a batch size and number of epochs that suit so many training rows."""
    batch = max(2, min(recipe.training.batch_size, rows // 8))
    epochs = max(2, min(30, round(STEPS * batch / rows)))
    return recipe.with_settings([f"training.batch_size={batch}", f"training.epochs={epochs}"])


def _task(targets: Sequence[Any], task: str) -> dict[str, Any]:
    labels = sorted({text_of(target) for target in targets if not is_missing(target)})
    if task == "guess":
        task = "regress" if len(labels) > MANY and all(map(_is_number, labels)) else "classify"
    if task == "regress":
        return {"name": "regress"}
    if len(labels) < 2:
        raise DataError(f"the target has one value only ({labels[0]!r}): there is nothing to tell apart")
    return {"name": "classify", "labels": labels}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def trained_columns(recipe: Recipe, names: Sequence[str]) -> dict[str, str] | None:
    """What the columns `names` of new rows are, as in training; None when the recipe does not say.

    The target and the split may be missing; columns that training did not have are kept beside the rows, unread.
    Another missing column stays in the map, so that reading refuses the rows by its name.
    """
    columns = recipe.data.options.get("columns") if recipe.data.source == "rows" else None
    if not columns:
        return None
    optional = {name for name, role in columns.items() if role not in ("text", "number", "category", "image", "boxes")}
    kept = {name: role for name, role in columns.items() if name in names or name not in optional}
    return {**dict.fromkeys(names, "info"), **kept}
