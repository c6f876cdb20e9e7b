"""What several verbs show in the same way (private to the command line)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chiasm.metrics.estimate import Estimate
    from chiasm.report.tables import Table

MOST_ROWS = 40  # of a table that is shown whole
MOST_PARTS = 12  # parts of one metric that are shown in a longer one


def show_table(table: Table) -> None:
    """A table: with lines and bold on a terminal, in plain columns elsewhere."""
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        console.print(table.to_rich())
    else:
        print(table.to_text() + "\n")


def show_metrics(
    metrics: Mapping[str, Estimate],
    title: str,
    baselines: Mapping[str, Mapping[str, Estimate]] | None = None,
    *,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Metrics with their intervals, one row each, beside the same metrics of others; below them the task's `notes`.

    Of many metrics, the parts ("f1/<label>") that are too many to read are only counted; the JSON file has them.
    """
    from chiasm.report.tables import metrics_table

    shown = readable(metrics)
    show_table(metrics_table(shown, title=title, baselines=baselines))
    if len(shown) < len(metrics):
        print(f"and {len(metrics) - len(shown)} numbers of single parts, in the JSON file\n")
    if notes:
        print("\n".join(f"{name}: {note}" for name, note in notes.items()) + "\n")


def readable(metrics: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """All metrics when they are few; otherwise without the parts of every facet that has many."""
    if len(metrics) <= MOST_ROWS:
        return dict(metrics)
    sizes = Counter(name.rpartition("/")[0] for name in metrics)
    return {name: e for name, e in metrics.items() if "/" not in name or sizes[name.rpartition("/")[0]] <= MOST_PARTS}


def written(*paths: Path) -> None:
    """Say where results went."""
    for path in paths:
        print(f"written: {path}")


def write_json(content: Any, path: Path) -> None:
    """Write a result to a JSON file in one piece and say so."""
    from chiasm.training import files

    files.write_json(path, content)
    written(path)
