"""A table that was run, as a picture: a panel for each measure, a line for each row, ours with intervals, the paper's
as open diamonds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chiasm.training.table_file import Table
from chiasm.training.table_text import all_measures, is_share
from chiasm.training.tables import MeasuredRow

OURS, PRINTED = "#1f5fa8", "#b3541e"


def table_picture(table: Table, measured: Sequence[MeasuredRow], file: Path, *, generated: bool) -> None:
    """Write the picture (PNG). Rows and measures without a number stay empty; per cent on the axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = table.columns or all_measures(measured)
    width, height = 2.2 + 2.6 * max(1, len(columns)), 1.3 + 0.32 * len(measured)
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(table.title + (" (generated data)" if generated else ""), fontsize=9)
    panels = figure.subplots(1, max(1, len(columns)), sharey=True, squeeze=False)[0]
    for place, column in enumerate(columns):
        _panel(panels[place], measured, column)
    panels[0].set_yticks(range(len(measured)), [one.row.name for one in measured], fontsize=8)
    panels[0].invert_yaxis()
    figure.savefig(file, dpi=150)


def _panel(panel: Any, measured: Sequence[MeasuredRow], column: str) -> None:
    """One measure of every row: shares in per cent, anything else in its own unit."""
    scale = 100 if is_share(measured, column) else 1
    for line, one in enumerate(measured):
        ours, printed = one.estimate(column), one.row.paper.get(column)
        if ours is not None:
            reach = [[scale * (ours.value - ours.low)], [scale * (ours.high - ours.value)]]
            panel.errorbar([scale * ours.value], [line], xerr=reach, fmt="o", color=OURS, markersize=4, capsize=2)
            seeds = [scale * metrics[column].value for metrics in one.seeds if column in metrics]
            if len(seeds) > 1:
                panel.plot(seeds, [line] * len(seeds), "|", color=OURS, markersize=6)
        if printed is not None:
            panel.plot([scale * printed], [line], "D", mfc="none", mec=PRINTED, markersize=5)
    panel.set_title(column, fontsize=8)
    panel.tick_params(axis="x", labelsize=7)
    panel.grid(axis="x", alpha=0.3)
