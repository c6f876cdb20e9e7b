"""What several verbs show in the same way (private to the command line)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chiasm.metrics.estimate import Estimate
    from chiasm.report.tables import Table


def show_table(table: Table) -> None:
    """A table: with lines and bold on a terminal, in plain columns elsewhere."""
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        console.print(table.to_rich())
    else:
        print(table.to_text() + "\n")


def show_metrics(
    metrics: Mapping[str, Estimate], title: str, baselines: Mapping[str, Mapping[str, Estimate]] | None = None
) -> None:
    """Metrics with their intervals, one row each, beside the same metrics of others."""
    from chiasm.report.tables import metrics_table

    show_table(metrics_table(metrics, title=title, baselines=baselines))


def written(*paths: Path) -> None:
    """Say where results went."""
    for path in paths:
        print(f"written: {path}")


def write_json(content: Any, path: Path) -> None:
    """Write a result to a JSON file and say so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    written(path)
