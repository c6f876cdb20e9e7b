"""A table that was run, as cells and as a record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chiasm.training.table_file import Table
from chiasm.training.tables import MeasuredRow


def table_lines(table: Table, measured: Sequence[MeasuredRow], *, generated: bool) -> list[list[str]]:
    """The cells of a text or Markdown table: a heading, then a row for each row; printed beside ours.

    Shares are in per cent, errors and correlations in their own unit.

    The last columns are the paired tests against the reference row, one for each part of the table.
    """
    columns = table.columns or all_measures(measured)
    whose = "on generated data" if generated else "ours"
    printed_too = any(one.row.paper for one in measured)
    parts = list(table.parts) or [""]
    head = ["row"]
    for column in columns:
        head += [f"{column}: paper"] if printed_too else []
        head.append(f"{column}: {whose}")
    if table.reference:
        head += [f"{part or 'accuracy'} minus {table.reference}" for part in parts]
    lines = [head]
    for one in measured:
        cells = [one.row.name]
        for column in columns:
            printed = one.row.paper.get(column)
            cells += ["-" if printed is None else _printed(printed, measured, column)] if printed_too else []
            cells.append(_ours(one, column))
        if table.reference:
            cells += [str(one.against.get(part, "-")) for part in parts]
        lines.append(cells)
    return lines


def _ours(one: MeasuredRow, column: str) -> str:
    ours, spread = one.estimate(column), one.spread(column)
    if ours is None:
        return "-"
    return f"{ours}{f' sd {ours.text(spread)}' if spread is not None else ''}"


def _printed(value: float, measured: Sequence[MeasuredRow], column: str) -> str:
    return f"{100 * value:.2f}" if is_share(measured, column) else f"{value:g}"


def is_share(measured: Sequence[MeasuredRow], column: str) -> bool:
    """Whether a column holds shares: as it was measured, or, where nothing was, when no printed number is above 1."""
    ours = [one.estimate(column) for one in measured]
    known = [estimate.share for estimate in ours if estimate is not None]
    return known[0] if known else all(one.row.paper.get(column, 0.0) <= 1 for one in measured)


def all_measures(measured: Sequence[MeasuredRow]) -> tuple[str, ...]:
    """Every measure that is printed in some row."""
    return tuple(dict.fromkeys(measure for one in measured for measure in one.row.paper))


def table_notes(measured: Sequence[MeasuredRow]) -> list[str]:
    """How measures were counted, a line each; with the rows that it is of where rows differ."""
    rows: dict[str, list[str]] = {}
    for one in measured:
        for measure, note in one.notes.items():
            rows.setdefault(f"{measure}: {note}", []).append(one.row.name)
    noted = sum(bool(one.notes) for one in measured)
    return [line if len(names) == noted else f"{line} ({', '.join(names)})" for line, names in rows.items()]


def table_record(table: Table, measured: Sequence[MeasuredRow], *, data: Path | None) -> dict[str, Any]:
    """Everything, for a JSON file."""
    return {
        "title": table.title,
        "data": "the recipes' generated worlds" if data is None else str(data),
        "rows": [
            {
                "name": one.row.name,
                "recipe": one.row.recipe,
                "parts": {stage.name: stage.recipe for stage in table.runs(one.row) if stage.name},
                "after": [stage.name for stage in table.before(one.row.after)],
                "settings": one.row.settings,
                "paper": one.row.paper,
                "seeds": one.seeds,
                **({"notes": one.notes} if one.notes else {}),
                "against_reference": {part: str(test) for part, test in one.against.items()},
            }
            for one in measured
        ],
    }
