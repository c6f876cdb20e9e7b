"""Numbers as tables: for a terminal, for Markdown and for a JSON file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table as RichTable

from chiasm.metrics.estimate import Estimate
from chiasm.training import files
from chiasm.training.files import to_plain as to_plain

if TYPE_CHECKING:
    from chiasm.training.targets import SplitTargets


def percent(value: float, digits: int = 1) -> str:
    """0.923 -> "92.3 %"; an unknown value is "–"."""
    return "–" if math.isnan(value) else f"{100 * value:.{digits}f} %"


def percent_range(estimate: Estimate, digits: int = 1) -> str:
    """The interval: "91.5–93.0"."""
    if math.isnan(estimate.value):
        return "no cases"
    return f"{100 * estimate.low:.{digits}f}–{100 * estimate.high:.{digits}f}"


# Metrics that are not shares of cases. CIDEr runs to 10; papers print it times 100.
NUMBERS = frozenset({"distribution", "mae", "rmse", "r2", "pearson", "cider", "cider_d"})


def value_of(name: str, estimate: Estimate) -> str:
    """A metric's value: a share as a percentage, any other as a number."""
    if estimate.share and name.partition("/")[0] not in NUMBERS:
        return percent(estimate.value)
    return "–" if math.isnan(estimate.value) else _number(estimate.value)


def range_of(name: str, estimate: Estimate) -> str:
    """A metric's 95 % interval, in the unit of its value."""
    if (estimate.share and name.partition("/")[0] not in NUMBERS) or math.isnan(estimate.value):
        return percent_range(estimate)
    return f"{_number(estimate.low)} to {_number(estimate.high)}"


def _number(value: float) -> str:
    """Three digits, and all of a large whole number: 0.123, 12.3, 1,378."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"  # where three digits would round to 1e+03


def signed(value: float, digits: int = 2) -> str:
    """0.341 -> "+0.34", and never "-0.00"."""
    return f"{round(value, digits) + 0.0:+.{digits}f}"


@dataclass(frozen=True)
class Table:
    """Named columns and rows of text; the first column names the row, numbers stand right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.title!r}: a row of {len(row)} cells for {len(self.columns)} columns")

    def to_text(self) -> str:
        """Plain text in columns."""
        widths = [max(len(row[i]) for row in (self.columns, *self.rows)) for i in range(len(self.columns))]
        lines = [_line(row, widths) for row in (self.columns, tuple("-" * w for w in widths), *self.rows)]
        return "\n".join([self.title, *lines])

    def to_markdown(self) -> str:
        """A Markdown table under its title in bold."""
        rule = ["---", *("---:" for _ in self.columns[1:])]
        lines = [f"| {' | '.join(_cell(c) for c in row)} |" for row in (self.columns, rule, *self.rows)]
        return "\n".join([f"**{self.title}**", "", *lines])

    def to_rich(self) -> RichTable:
        """The table for a terminal."""
        table = RichTable(title=escape(self.title), title_justify="left")
        for i, column in enumerate(self.columns):
            table.add_column(escape(column), justify="left" if i == 0 else "right")
        for row in self.rows:
            table.add_row(*(escape(cell) for cell in row))
        return table


def metrics_table(
    metrics: Mapping[str, Estimate],
    *,
    title: str = "Metrics",
    baselines: Mapping[str, Mapping[str, Estimate]] | None = None,
) -> Table:
    """One row a metric: value, interval, cases, and the same metric of each baseline that has it."""
    others = baselines or {}
    rows = tuple(
        (
            name,
            value_of(name, e),
            range_of(name, e),
            f"{e.n:,}",
            *(value_of(name, other[name]) if name in other else "–" for other in others.values()),
        )
        for name, e in metrics.items()
    )
    return Table(title, ("metric", "value", "95 % interval", "n", *others), rows)


def systems_table(systems: Mapping[str, Estimate], *, title: str, metric: str = "accuracy") -> Table:
    """One row a system, for one metric."""
    rows = tuple((name, value_of(metric, e), range_of(metric, e), f"{e.n:,}") for name, e in systems.items())
    return Table(title, ("system", metric, "95 % interval", "n"), rows)


def targets_table(found: SplitTargets) -> Table:
    """One row an answer; "not learnt" for one that the model cannot give."""
    title = f"{found.split}: {found.learnt:,} of {found.rows:,} rows have an answer that is learnt"
    columns = ("answer", "rows", "share", *(["target"] if found.numbered else []))
    shares = [percent(line["share"]) if line["share"] <= 1 else "" for line in found.table]  # the rest of several a row
    rows = [
        (line["answer"], f"{line['count']:,}", share, _target(line))
        for line, share in zip(found.table, shares, strict=True)
    ]
    return Table(title, columns, tuple(row[: len(columns)] for row in rows))


def _target(line: Mapping[str, Any]) -> str:
    if line["target"] is not None:
        return str(line["target"])
    return "" if line["answer"].startswith("(") else "not learnt"


def write_json(value: Any, path: Path) -> None:
    """Write `to_plain(value)` to `path` in one piece, making its folder."""
    files.write_json(path, value)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
