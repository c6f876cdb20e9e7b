"""Figures 3, 4 and 5 of LXMERT's appendix E for any model that records attention, and what the paper lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL.Image import Image
from torch import Tensor

from chiasm.explain.attention_graphs import CrossGraph, ObjectGraph, TokenGraph
from chiasm.explain.draw import FOR, SEQUENTIAL
from chiasm.explain.word_kinds import Kind

EDGE = "#f5c211"  # of the recovered scene graph, yellow as in the paper
COLOURS: Mapping[Kind, str] = {"pronoun": "#e64980", "noun": "#1c7ed6", "article": "#e03131", "other": "#495057"}
FAINTEST = 0.03  # lines below this opacity are not drawn


def draw_tokens(panels: Sequence[tuple[TokenGraph, int]], head: int | None = None) -> Figure:
    """Figure 3: tokens on both sides of each panel (a graph and its layer), a line as strong as the attention."""
    longest = max(len(graph.tokens) for graph, _ in panels)
    figure = Figure(figsize=(2.9 * len(panels), 0.27 * longest + 0.7), layout="constrained")
    which = "mean of the heads" if head is None else f"head {head + 1}"
    for axes, (graph, layer) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        tokens = list(graph.tokens)
        _lines(axes, graph.matrix(layer, head).double().numpy(), tokens, tokens)
        following, before = (float(graph.neighbour_scores(offset)[layer].mean()) for offset in (1, -1))
        scores = f"next {following:.2f}, previous {before:.2f}"
        axes.set_title(f"{graph.name}, language layer {layer + 1}\n{which}; to the {scores}", fontsize=8)
    return figure


def draw_neighbours(graphs: Sequence[TokenGraph]) -> Figure:
    """How much each layer and head points to the next and to the previous word, a pair of tables for each encoder."""
    scores = [(g, o, g.neighbour_scores(o).double().numpy()) for g in graphs for o in (1, -1)]
    figure = Figure(figsize=(3.2 * len(scores), 3.4), layout="constrained")
    top = max(float(values.max()) for _, _, values in scores)
    for axes, (graph, offset, values) in zip(figure.subplots(1, len(scores), squeeze=False)[0], scores, strict=True):
        axes.imshow(values, cmap=SEQUENTIAL, vmin=0, vmax=top, aspect="auto")
        axes.set(xlabel="head", ylabel="layer")
        axes.set_xticks(range(values.shape[1]), [str(i + 1) for i in range(values.shape[1])], fontsize=7)
        axes.set_yticks(range(values.shape[0]), [str(i + 1) for i in range(values.shape[0])], fontsize=7)
        axes.set_title(f"{graph.name}: to the {'next' if offset > 0 else 'previous'} word", fontsize=9)
        layer, best = np.unravel_index(values.argmax(), values.shape)
        axes.text(best, layer, f"{values.max():.2f}", ha="center", va="center", fontsize=7)
    return figure


def draw_objects(graph: ObjectGraph, image: Image, boxes: Tensor, names: Sequence[str], *, layer: int = 0) -> Figure:
    """Figure 4: (a) the attention graph of an object layer, (b) the graph recovered from it, drawn on the image."""
    figure = Figure(figsize=(8.6, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    attention = graph.attention.double().numpy()
    _lines(left, attention, list(names), list(names), strong=set(graph.kept))
    left.set_title(f"(a) object layer {layer + 1}", fontsize=9)
    right.imshow(np.asarray(image), extent=(0, image.width, image.height, 0))
    corners = boxes.double() * boxes.new_tensor([image.width, image.height] * 2).double()
    centres = ((corners[:, :2] + corners[:, 2:]) / 2).tolist()
    for number in graph.kept:
        x1, y1, x2, y2 = corners[number].tolist()
        right.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=FOR, linewidth=1.3))
    strongest = max((weight for _, _, weight in graph.edges), default=1.0)
    for a, b, weight in graph.edges:
        (xa, ya), (xb, yb) = centres[a], centres[b]
        right.plot([xa, xb], [ya, yb], color=EDGE, linewidth=1 + 2.5 * weight / strongest, solid_capstyle="round")
    for number in graph.kept:
        right.annotate(
            names[number], corners[number, :2].tolist(), xytext=(3, -3), textcoords="offset points", va="top",
            fontsize=7, color="white",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "black", "alpha": 0.65, "linewidth": 0},
        )  # fmt: skip
    right.set(xlim=(0, image.width), ylim=(image.height, 0))
    _bare(right)
    right.set_title(f"(b) the graph recovered from it: {len(graph.kept)} objects, {len(graph.edges)} edges", fontsize=9)
    return figure


def draw_cross_graph(graph: CrossGraph, names: Sequence[str]) -> Figure:
    """Figure 5: words and objects tied by attention, both ways, words coloured by what they are."""
    kinds = graph.kinds()
    colours = [COLOURS[kind] for kind in kinds]
    rows = max(len(graph.tokens), len(names))
    figure = Figure(figsize=(9.4, 0.24 * rows + 1.0), layout="constrained")
    first, second, bars = figure.subplots(1, 3, width_ratios=(1, 1, 0.8))
    words, objects = list(graph.tokens), list(names)
    _lines(first, graph.to_objects.double().numpy(), words, objects, left_colours=colours)
    first.set_title("words look at objects", fontsize=9)
    _lines(second, graph.to_words.double().numpy().T, words, objects, left_colours=colours, normalise=1)
    second.set_title("objects look at words", fontsize=9)
    received = graph.received().double().numpy()
    bars.barh(range(len(words)), received, color=colours)
    bars.set_yticks(range(len(words)), words, fontsize=7)
    bars.invert_yaxis()
    bars.set_title("attention from the objects", fontsize=9)
    bars.tick_params(axis="x", labelsize=7)
    for kind, colour in COLOURS.items():
        if kind in kinds and kind != "other":
            bars.barh([0], [0], color=colour, label=kind)
    if len(bars.patches) > len(words):
        bars.legend(fontsize=7, frameon=False, loc="lower right")
    return figure


def _lines(
    axes: Axes,
    matrix: Any,
    left: Sequence[str],
    right: Sequence[str],
    *,
    left_colours: Sequence[str] | None = None,
    strong: set[int] | None = None,
    normalise: int | None = None,
) -> None:
    """A line from each of the left to each of the right as strong as `matrix` (left, right); row maxima are opaque.

    With `normalise=1` columns are compared instead of rows. What is not `strong` on the right is grey.
    """
    top = matrix.max(axis=0, keepdims=True) if normalise == 1 else matrix.max(axis=1, keepdims=True)
    opacity = matrix / np.maximum(top, 1e-12) * np.clip(matrix * matrix.shape[0 if normalise == 1 else 1] / 4, 0, 1)
    rows = max(len(left), len(right))
    ys = [[(i + 0.5) * rows / len(side) for i in range(len(side))] for side in (left, right)]
    for i, j in zip(*np.nonzero(opacity > FAINTEST), strict=True):
        axes.plot([0.3, 0.7], [ys[0][i], ys[1][j]], color=FOR, alpha=float(opacity[i, j]), linewidth=1.1)
    for i, name in enumerate(left):
        colour = left_colours[i] if left_colours else "black"
        axes.text(0.28, ys[0][i], name, ha="right", va="center", fontsize=7, color=colour)
    for j, name in enumerate(right):
        shown = "black" if strong is None or j in strong else "#adb5bd"
        axes.text(0.72, ys[1][j], name, ha="left", va="center", fontsize=7, color=shown)
    axes.set(xlim=(0, 1), ylim=(rows, 0))
    _bare(axes)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
