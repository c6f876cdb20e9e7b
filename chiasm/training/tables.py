"""A published table run again: each row a recipe with its changes, our numbers beside the printed ones."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from chiasm.data.columns import EncodedDataset
from chiasm.metrics.compare import Comparison, permutation
from chiasm.metrics.estimate import Estimate
from chiasm.recipes.tables import table_path
from chiasm.registry import nearest
from chiasm.tasks import Prediction
from chiasm.training.errors import RecipeError
from chiasm.training.files import write_json
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train

Right = Mapping[str, tuple[float, str]]  # example -> 1 when answered right, and the cluster that it belongs to


@dataclass(frozen=True)
class Row:
    """One line of a table: a recipe, what it changes, and what the paper prints."""

    name: str
    recipe: str = ""  # "": printed numbers only
    settings: tuple[str, ...] = ()
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A published table. Printed numbers are shares, whatever the file's unit."""

    title: str
    columns: tuple[str, ...]
    reference: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class MeasuredRow:
    """A row with our numbers, one set for each seed; none for a row that is printed only."""

    row: Row
    seeds: tuple[Mapping[str, Estimate], ...] = ()
    right: tuple[Right, ...] = ()  # for each seed; empty where answers are not right or wrong
    against: Comparison | None = None  # this row minus the reference, all seeds together

    def estimate(self, measure: str) -> Estimate | None:
        """The mean over seeds; the interval is the mean of the seeds' intervals."""
        found = [metrics[measure] for metrics in self.seeds if measure in metrics]
        if not found:
            return None
        return Estimate(
            fmean(e.value for e in found), fmean(e.low for e in found), fmean(e.high for e in found), found[0].n
        )

    def spread(self, measure: str) -> float | None:
        """The standard deviation between seeds; None for fewer than two."""
        found = [metrics[measure].value for metrics in self.seeds if measure in metrics]
        return stdev(found) if len(found) > 1 else None


def load_table(name_or_path: str | Path) -> Table:
    """The table called so in `chiasm/recipes/tables`, or in a file that ends in .toml. Raises `RecipeError`."""
    given = str(name_or_path)
    path = Path(given) if given.endswith(".toml") else table_path(given)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        scale = {"per cent": 100.0, "": 1.0}[raw.get("unit", "")]
        rows = tuple(_row(row, scale) for row in raw["rows"])
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise RecipeError(f"{given} is no table of recipes: {type(error).__name__} {error}") from error
    return Table(str(raw.get("title", given)), tuple(raw.get("columns", ())), str(raw.get("reference", "")), rows)


def run_table(
    table: Table,
    data: Path | None,
    out: Path,
    *,
    seeds: int = 1,
    tiny: bool = False,
    only: Sequence[str] = (),
    settings: Sequence[str] = (),
    show: bool | None = None,
) -> list[MeasuredRow]:
    """Run the rows (those named in `only`, if any) with seeds 0, 1, ...; each run in `out/<row>/<seed>`.

    A run that is there already is read, not repeated, and one that was stopped goes on. `settings` are applied to
    every row after its own. Raises `RecipeError`, `DataError`, `TrainingError`.
    """
    names = [row.name for row in table.rows]
    for name in only:
        if name not in names:
            raise RecipeError(nearest(name, names, what="row"))
    found = []
    for row in table.rows:
        runs = []
        if row.recipe and (not only or row.name in only):
            runs = [_run(row, data, out, seed, tiny, settings, show) for seed in range(seeds)]
        found.append(MeasuredRow(row, tuple(m for m, _ in runs), tuple(r for _, r in runs if r)))
    return _compared(table, found)


def _run(
    row: Row, data: Path | None, out: Path, seed: int, tiny: bool, settings: Sequence[str], show: bool | None
) -> tuple[Mapping[str, Estimate], Right]:
    """One row with one seed: its test metrics, and which answers were right."""
    recipe = load_recipe(row.recipe).with_settings(row.settings)
    recipe = (recipe.tiny() if tiny else recipe).with_settings([*settings, f"training.seed={seed}"])
    folder = out / row.name.replace("/", "-").replace(" ", "_") / str(seed)
    kept = folder / "row.json"
    state = {"recipe": recipe.identity(), "data": str(data)}
    state = json.loads(json.dumps(state, default=list))
    if kept.is_file():
        before = json.loads(kept.read_text(encoding="utf-8"))
        if before["made_by"] == state:
            metrics = {name: Estimate(**values) for name, values in before["metrics"].items()}
            return metrics, {name: (right, cluster) for name, (right, cluster) in before["right"].items()}
    result = train(recipe, data, folder, resume=not kept.is_file(), overwrite=kept.is_file(), show=show)
    split = "test" if "test" in result.metrics else "validation"
    right = _right(result.predictions[split], result.splits[split])
    metrics = dict(result.metrics[split])
    write_json(kept, {"made_by": state, "split": split, "metrics": metrics, "right": right})
    return metrics, right


def _right(predictions: Sequence[Prediction], dataset: EncodedDataset) -> Right:
    """Which answers were right, where an example has one answer; nothing otherwise."""
    answers = [example.values.get("answer") for example in dataset.examples]
    if not all(isinstance(answer, str | bool | int) for answer in answers):
        return {}
    return {
        e.id: (float(str(p.answer) == str(answer)), str(e.info.get("cluster", e.id)))
        for e, p, answer in zip(dataset.examples, predictions, answers, strict=True)
    }


def _compared(table: Table, found: Sequence[MeasuredRow]) -> list[MeasuredRow]:
    """The rows with a paired permutation test against the reference row, on the same examples and seeds."""
    reference = next((one.right for one in found if one.row.name == table.reference), ())
    compared = []
    for one in found:
        pairs = list(zip(one.right, reference, strict=False)) if one.row.name != table.reference else []
        same = [(a, b) for a, b in pairs if a.keys() == b.keys()]
        test = None
        if same:
            ours = [a[key][0] for a, _ in same for key in a]
            theirs = [b[key][0] for a, b in same for key in a]
            test = permutation(ours, theirs, groups=[a[key][1] for a, _ in same for key in a])
        compared.append(MeasuredRow(one.row, one.seeds, one.right, test))
    return compared


def _row(raw: Mapping[str, Any], scale: float) -> Row:
    paper = {measure: float(value) / scale for measure, value in raw.get("paper", {}).items()}
    return Row(str(raw["name"]), str(raw["recipe"]), tuple(raw.get("settings", ())), paper)


def table_lines(table: Table, measured: Sequence[MeasuredRow], *, generated: bool) -> list[list[str]]:
    """The cells of a text or Markdown table: a heading, then a row for each row; per cent, printed beside ours."""
    columns = table.columns or _all_measures(measured)
    whose = "on generated data" if generated else "ours"
    head = ["row", *(cell for c in columns for cell in (f"{c}: paper", f"{c}: {whose}"))]
    lines = [[*head, f"accuracy minus {table.reference}"] if table.reference else head]
    for one in measured:
        cells = [one.row.name]
        for column in columns:
            printed, ours, spread = one.row.paper.get(column), one.estimate(column), one.spread(column)
            cells.append("-" if printed is None else f"{100 * printed:.2f}")
            cells.append("-" if ours is None else f"{ours}{f' sd {100 * spread:.1f}' if spread is not None else ''}")
        lines.append([*cells, str(one.against or "-")] if table.reference else cells)
    return lines


def _all_measures(measured: Sequence[MeasuredRow]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(measure for one in measured for measure in one.row.paper))


def table_record(table: Table, measured: Sequence[MeasuredRow], *, data: Path | None) -> dict[str, Any]:
    """Everything, for a JSON file."""
    return {
        "title": table.title,
        "data": "the recipes' generated worlds" if data is None else str(data),
        "rows": [
            {
                "name": one.row.name,
                "recipe": one.row.recipe,
                "settings": one.row.settings,
                "paper": one.row.paper,
                "seeds": one.seeds,
                "against_reference": None if one.against is None else str(one.against),
            }
            for one in measured
        ],
    }
