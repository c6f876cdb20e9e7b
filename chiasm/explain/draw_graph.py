"""A path on a scene graph as a figure, on the picture where there is one: a panel for each moment."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from numpy.typing import NDArray
from PIL.Image import Image

from chiasm.explain.draw import FOR, NEUTRAL
from chiasm.explain.graph_path import LEAST, GraphPath

PANEL = 2.6  # inches
RADIUS = 0.045  # of a node with all of the flow, as a share of the panel


def draw_path(path: GraphPath, image: Image | None = None) -> Figure:
    """Nodes are circles as large as their share of the flow, arrows show where it moves; without boxes in a ring."""
    panels = len(path.at)
    figure = Figure(figsize=(PANEL * panels, PANEL + 0.9), layout="constrained")
    places = _places(path)
    for number, axes in enumerate(figure.subplots(1, panels, squeeze=False)[0]):
        _panel(axes, path, number, places, image)
    asked = path.example.values.get("text") or path.prediction.id
    figure.suptitle(f"{asked}   {path.prediction.answer} ({path.prediction.probability:.0%})", fontsize=10)
    return figure


def _panel(axes: Axes, path: GraphPath, number: int, places: NDArray[np.float64], image: Image | None) -> None:
    """One moment: what was where, and what came along the edges of the step before it."""
    if image is not None:
        axes.imshow(np.asarray(image), extent=(0, 1, 1, 0), alpha=0.55)
    shares = path.at[number]
    for node, share in enumerate(shares):
        x1, y1, x2, y2 = path.graph.boxes[node]
        if image is not None and x2 > x1:
            box: Any = ((x1, y1), x2 - x1, y2 - y1)
            axes.add_patch(Rectangle(*box, fill=False, edgecolor=FOR, alpha=0.15 + 0.85 * float(share)))
        size = RADIUS * (0.25 + float(share) ** 0.5)
        axes.add_patch(Circle(tuple(places[node]), size, facecolor=FOR, alpha=0.2 + 0.8 * float(share), linewidth=0))
        if share >= LEAST or image is None:
            axes.annotate(path.name(node), places[node], fontsize=6, ha="center", va="bottom", color="black")
    if number:
        _arrows(axes, path.taken[number - 1], places)
    top = path.name(path.nodes()[number])
    axes.set_title(("before" if number == 0 else f"step {number}") + f": {top}", fontsize=7)
    axes.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[], aspect="equal")


def _arrows(axes: Axes, flow: NDArray[np.float64], places: NDArray[np.float64]) -> None:
    for target, source in zip(*np.nonzero(flow >= LEAST / 2), strict=True):
        if target != source:
            axes.add_patch(
                FancyArrowPatch(
                    tuple(places[source]),
                    tuple(places[target]),
                    arrowstyle="-|>",
                    mutation_scale=8,
                    color=NEUTRAL,
                    linewidth=0.5 + 4 * float(flow[target, source]),
                    connectionstyle="arc3,rad=0.15",
                )
            )


def _places(path: GraphPath) -> NDArray[np.float64]:
    """(N, 2) the centre of each node's box; without boxes all nodes in a ring."""
    boxes = np.array(path.graph.boxes, dtype=np.float64)
    if (boxes[:, 2] > boxes[:, 0]).all():
        return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2], 1)
    angles = 2 * np.pi * np.arange(len(boxes)) / len(boxes)
    return 0.5 + 0.4 * np.stack([np.cos(angles), np.sin(angles)], 1)
