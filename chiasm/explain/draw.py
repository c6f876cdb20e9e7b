"""Evidence as figures, for notebooks, papers and files: PNG bytes or SVG text.

Every function returns a matplotlib `Figure` that belongs to no window; `png` and `svg` write it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chiasm.explain.attribution import Attribution
from chiasm.explain.evidence import Maps, darkest
from chiasm.explain.explanation import Explanation, shares
from chiasm.explain.faithfulness import Faithfulness

FOR, AGAINST, NEUTRAL = "#e8590c", "#1c7ed6", "#868e96"  # speaks for the answer, against it, random order
SEQUENTIAL = "Oranges"


def png(figure: Figure, *, dpi: int = 150) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=dpi, bbox_inches="tight")
    return buffer.getvalue()


def svg(figure: Figure) -> str:
    """The figure as an SVG file, the same for the same figure."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "chiasm", "svg.fonttype": "none"}):
        FigureCanvasAgg(figure).print_figure(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    return buffer.getvalue().decode()


def draw_explanation(explanation: Explanation, attribution: Attribution | None = None) -> Figure:
    """One picture of an answer: shaded images, shaded words, the best answers, the faithfulness curves.

    Raises ValueError when the explanation holds no attribution.
    """
    chosen = attribution or explanation.main
    if chosen is None:
        raise ValueError("this explanation holds no attribution to draw")
    curves = list(chosen.faithfulness.values())
    columns = max(1, len(explanation.views)) + len(curves)
    figure = Figure(figsize=(3.4 * columns, 4.3), layout="constrained")
    grid = figure.add_gridspec(2, columns, height_ratios=(1, 7))
    words = figure.add_subplot(grid[0, :])
    words_over(words, explanation, chosen)
    for view in range(len(explanation.views)):
        boxes_over(figure.add_subplot(grid[1, view]), explanation, chosen, view)
    for i, score in enumerate(curves):
        curves_over(figure.add_subplot(grid[1, columns - len(curves) + i]), score)
    said = explanation.prediction
    figure.suptitle(f"{said.answer}  ({said.probability:.0%})   shaded by {chosen.title}", fontsize=11, ha="center")
    return figure


def draw_regions(explanation: Explanation, attribution: Attribution, view: int = 0) -> Figure:
    """One image with every box shaded by its relevance."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    boxes_over(figure.subplots(), explanation, attribution, view)
    return figure


def draw_words(explanation: Explanation, attribution: Attribution) -> Figure:
    """The text with every word shaded by its relevance."""
    figure = Figure(figsize=(8, 0.7), layout="constrained")
    words_over(figure.subplots(), explanation, attribution)
    return figure


def draw_curves(scores: Sequence[Faithfulness]) -> Figure:
    """Perturbation curves: the answer's probability as more is hidden, in three orders."""
    figure = Figure(figsize=(4.2 * max(1, len(scores)), 3.4), layout="constrained")
    panels = figure.subplots(1, max(1, len(scores)), squeeze=False)[0]
    for place, score in enumerate(scores):
        curves_over(panels[place], score)
    return figure


def draw_heads(maps: Maps, view: int = 0) -> Figure:
    """Every head of every layer as a small matrix: a row for each layer, a column for each head."""
    layers = [layer[view].double().numpy() for layer in maps.layers]
    heads, queries, keys = layers[0].shape
    size = (1.1 * heads + 0.8, (1.1 * queries / max(keys, 1) if queries < keys else 1.1) * len(layers) + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(layers), heads, squeeze=False)
    for i, layer in enumerate(layers):
        for h in range(heads):
            axes: Axes = grid[i, h]
            axes.imshow(layer[h], cmap=SEQUENTIAL, vmin=0, vmax=darkest(layer[h]), aspect="auto")
            _bare(axes)
            if i == 0:
                axes.set_title(f"head {h + 1}", fontsize=7)
            if h == 0:
                axes.set_ylabel(f"layer {i + 1}", fontsize=7)
    figure.suptitle(f"{maps.evidence.title}: {maps.evidence.query} (rows) look at {maps.evidence.key}", fontsize=10)
    return figure


def draw_cross(explanation: Explanation, view: int = 0) -> Figure:
    """Both directions of cross-attention, the mean over layers and heads, side by side.

    Raises ValueError when the model recorded none.
    """
    crossing = [m for m in explanation.maps if m.evidence.query != m.evidence.key]
    if not crossing:
        raise ValueError("this model recorded no attention between its streams")
    figure = Figure(figsize=(4.6 * len(crossing), 4.4), layout="constrained")
    for axes, maps in zip(figure.subplots(1, len(crossing), squeeze=False)[0], crossing, strict=True):
        matrix = maps.mean()[view].double().numpy()
        axes.imshow(matrix, cmap=SEQUENTIAL, vmin=0, vmax=darkest(matrix), aspect="auto")
        rows = explanation.item_names(maps.evidence.query, matrix.shape[0])
        columns = explanation.item_names(maps.evidence.key, matrix.shape[1])
        axes.set_yticks(range(len(rows)), rows, fontsize=7)
        axes.set_xticks(range(len(columns)), columns, fontsize=7, rotation=60, ha="right")
        axes.set_title(maps.evidence.title, fontsize=9)
    return figure


def boxes_over(axes: Axes, explanation: Explanation, attribution: Attribution, view: int) -> None:
    """Draw one image, its boxes shaded; the strength of a box is its relevance."""
    image = explanation.views[view].image
    axes.imshow(np.asarray(image), extent=(0, image.width, image.height, 0))
    values = shares(explanation.region_relevance(attribution, view))
    for number, (box, share) in enumerate(zip(explanation.views[view].boxes, values, strict=True), 1):
        x1, y1, x2, y2 = (float(v) * s for v, s in zip(box, (image.width, image.height) * 2, strict=True))
        colour = FOR if share >= 0 else AGAINST
        place: Any = ((x1, y1), x2 - x1, y2 - y1)
        patches = explanation.views[view].patches
        axes.add_patch(Rectangle(*place, facecolor=colour, alpha=(0.7 if patches else 0.35) * abs(share), linewidth=0))
        if patches:
            continue
        edge = 0.25 + 0.75 * abs(share)
        axes.add_patch(Rectangle(*place, fill=False, edgecolor=colour, alpha=edge, linewidth=1 + 2 * abs(share)))
        axes.annotate(
            str(number), (x1, y1), xytext=(2, -2), textcoords="offset points", va="top", fontsize=7, color="white",
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "black", "alpha": 0.6, "linewidth": 0},
        )  # fmt: skip
    _bare(axes)


def words_over(axes: Axes, explanation: Explanation, attribution: Attribution) -> None:
    """Write the text, each word on a background as strong as its relevance."""
    words = explanation.words()
    values = shares(explanation.word_relevance(attribution))
    _bare(axes)
    for spine in axes.spines.values():
        spine.set_visible(False)
    place: Any = {"xy": (0.0, 0.5), "xycoords": "axes fraction"}
    for word, share in zip(words, values, strict=True):
        colour = FOR if share >= 0 else AGAINST
        shown = axes.annotate(
            word.text, **place, va="center", fontsize=11, annotation_clip=False,
            bbox={"boxstyle": "round,pad=0.2", "facecolor": colour, "alpha": 0.6 * abs(share), "linewidth": 0},
        )  # fmt: skip
        place = {
            "xy": (1, 0.5),
            "xycoords": shown,
            "xytext": (7 if word.space else 4, 0),
            "textcoords": "offset points",
        }


def curves_over(axes: Axes, score: Faithfulness) -> None:
    """Draw the curves of one stream, with every random order faintly."""
    hidden = 100 * score.hidden
    axes.plot(hidden, score.random_order.T, color=NEUTRAL, alpha=0.25, linewidth=0.8)
    axes.plot(hidden, score.most_relevant_first, color=FOR, linewidth=2, label="most relevant first")
    axes.plot(
        hidden, score.least_relevant_first, color=AGAINST, linewidth=2, linestyle="--", label="least relevant first"
    )
    axes.plot(hidden, score.random_order.mean(0), color=NEUTRAL, linestyle=":", label="random order")
    axes.set(ylim=(0, 1), xlim=(0, 100), xlabel=f"{score.stream} hidden, %", ylabel="probability of the answer")
    area, low, high = (round(value, 2) + 0.0 for value in (score.area, score.random.low, score.random.high))
    axes.set_title(f"{score.stream}: {area:+.2f}  (random {low:+.2f} to {high:+.2f})", fontsize=9)
    axes.legend(fontsize=7, frameon=False)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
