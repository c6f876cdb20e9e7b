"""Affinities and rankings as figures: words beside the regions that match them best, and which pairs rank highest.

Figures 3 and 4 of *Cross-Modality Relevance for Reasoning on Language and Vision* (ACL 2020), for any model that gives
this kind of evidence. The darker a cell, the higher its score.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chiasm.explain.draw import SEQUENTIAL
from chiasm.explain.explanation import SPECIAL, View
from chiasm.explain.matches import Matches, crop

ROW, COLUMN = 0.34, 0.2  # inches of a row with its crop, and of a column
CROP = 2.0  # width of a crop, at most, in rows
LETTER = 0.075  # inches of a letter of a label
EDGE = "#1a1f26"


def draw_affinity(table: Matches, view: View | None = None) -> Figure:
    """Rows and columns with their scores; each row's best column is framed, and with `view` its region is shown."""
    rows, columns = table.scores.shape
    crops = CROP if view is not None else 0.0
    figure, heat = _sheet(table, ROW, max(COLUMN, 2.2 / columns), right=crops * ROW + 0.55 if crops else 0.1)
    _shade(heat, table)
    for row, column in enumerate(table.best()):
        heat.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=EDGE, linewidth=1.2))
    if view is None:
        return figure
    place, width = heat.get_position(), figure.get_figwidth()
    beside = figure.add_axes((place.x1 + 0.45 / width, place.y0, crops * ROW / width, place.height))
    for row, column in enumerate(table.best()):
        if table.rows[row] in SPECIAL:
            continue
        image = crop(view, column)
        shown = min(crops, 0.92 * image.width / image.height)  # in rows; a wide one is less high
        high = shown * image.height / image.width / 2
        beside.imshow(np.asarray(image.convert("RGB")), extent=(0, shown, row + high, row - high), aspect="auto")
        beside.text(-0.12, row, table.columns[column], ha="right", va="center", fontsize=6)
    beside.set(xlim=(0, crops), ylim=(rows - 0.5, -0.5))
    beside.set_title("best region", fontsize=7)
    beside.axis("off")
    return figure


def draw_ranking(table: Matches, count: int = 5) -> Figure:
    """Pairs of one stream's items, above the diagonal; the `count` highest are framed and named."""
    side = 0.27 if len(table.rows) <= 24 else COLUMN
    figure, heat = _sheet(table, side, side, right=0.15)
    _shade(heat, table)
    highest = table.highest(count)
    for row, column, _ in highest:
        heat.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=EDGE, linewidth=1.2))
    named = "\n".join(f"{table.rows[i]} \N{EN DASH} {table.columns[j]}" for i, j, _ in highest)
    heat.text(0.02, 0.03, f"highest:\n{named}", transform=heat.transAxes, va="bottom", fontsize=7)
    return figure


def _sheet(table: Matches, row: float, column: float, *, right: float) -> tuple[Figure, Axes]:
    """A figure whose cells are `row` by `column` inches, with room for the names."""
    left = 0.15 + LETTER * max(len(name) for name in table.rows)
    below = 0.15 + LETTER * max(len(name) for name in table.columns)
    rows, columns = table.scores.shape
    above = 0.4
    width = max(left + columns * column + right, 0.3 + 0.072 * len(table.title))
    height = below + rows * row + above
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left / width, below / height, columns * column / width, rows * row / height))
    figure.text(0.06 / width, 1 - 0.08 / height, table.title, va="top", fontsize=9)
    return figure, axes


def _shade(axes: Axes, table: Matches) -> None:
    shades: Any = np.ma.masked_where(~table.known(), table.shades())
    axes.imshow(shades, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(table.columns)), list(table.columns), fontsize=7, rotation=90)
    axes.set_yticks(range(len(table.rows)), list(table.rows), fontsize=7)
    axes.tick_params(length=0, pad=2)
    for spine in axes.spines.values():
        spine.set_color("#ced4da")
