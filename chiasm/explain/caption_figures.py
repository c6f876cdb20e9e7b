"""Figures of captions and of the words in them, as in the two papers on captioning.

Every function returns a matplotlib `Figure` that belongs to no window; `draw.png` and `draw.svg` write it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from chiasm.metrics.correlation import spearman
from chiasm.metrics.estimate import Array, Estimate
from chiasm.metrics.word_vectors import magnitudes

FIRST, SECOND, GREY = "#1c7ed6", "#e8590c", "#868e96"
REFERENCES = 5  # of each image in the paper's figure
MOST_POINTS = 20_000  # of a scatter plot; more are thinned out evenly


def validity_violins(validity: Sequence[Array], *, references: int = REFERENCES) -> Figure:
    """How validity scores are spread: of images with so many references the largest, the next, ... (VBCS, figure 1).

    Raises ValueError when no image has so many references.
    """
    rows = [np.sort(scores)[::-1] for scores in validity if len(scores) == references]
    if not rows:
        raise ValueError(f"none of the {len(validity)} images has {references} references")
    table = np.stack(rows)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    drawn = axes.violinplot(list(table.T), showmedians=True)
    for body in drawn["bodies"]:  # type: ignore[attr-defined]
        body.set_facecolor(FIRST)
        body.set_alpha(0.4)
    axes.axhline(1 / references, color=GREY, linestyle=":", label="uniform sampling")
    axes.set_xticks(range(1, references + 1), [f"score-{k}" for k in range(1, references + 1)])
    axes.set_xlabel("caption, the most valid first")
    axes.set_ylabel("validity score")
    axes.set_title(f"{len(rows):,} images with {references} captions")
    axes.legend(frameon=False)
    return figure


def alpha_curves(
    curves: Mapping[str, Mapping[float, Estimate]], *, metric: str = "CIDEr", baseline: Estimate | None = None
) -> Figure:
    """A metric by how much target mass is smoothed away, a curve with its interval for each method (figure 2).

    `curves`: method -> alpha -> estimate; values are drawn times 100, as papers print them.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for (name, curve), colour in zip(curves.items(), _colours(len(curves)), strict=True):
        alphas = sorted(curve)
        axes.plot(alphas, [100 * curve[a].value for a in alphas], color=colour, marker="o", label=name)
        low, high = ([100 * getattr(curve[a], end) for a in alphas] for end in ("low", "high"))
        axes.fill_between(alphas, low, high, color=colour, alpha=0.15, linewidth=0)
    if baseline is not None:
        axes.axhline(100 * baseline.value, color=GREY, linestyle=":", label="no smoothing")
    axes.set_xlabel("alpha")
    axes.set_ylabel(f"{metric} x 100")
    axes.legend(frameon=False)
    return figure


def magnitudes_by_frequency(vectors: Mapping[str, ArrayLike], frequencies: ArrayLike) -> Figure:
    """The lengths of word vectors (V, D) against the counts of the words (V) in training, a panel for each table.

    (Fixed target embeddings, figure 2: trained on the left, drawn on the right.) Words that never occur are left out.
    """
    counts = np.asarray(frequencies, dtype=np.float64)
    seen = counts > 0
    step = max(1, int(seen.sum()) // MOST_POINTS)
    figure = Figure(figsize=(5 * len(vectors), 4), layout="constrained")
    for place, (name, table) in enumerate(vectors.items(), start=1):
        lengths = magnitudes(table)[seen]
        axes = figure.add_subplot(1, len(vectors), place)
        axes.scatter(counts[seen][::step], lengths[::step], s=4, color=FIRST, alpha=0.4, linewidths=0)
        axes.set_xscale("log")
        axes.set_xlabel("occurrences in training")
        axes.set_ylabel("length of the vector")
        axes.set_title(f"{name}: Spearman {spearman(lengths, counts[seen]).value:+.2f}")
    return figure


@dataclass(frozen=True)
class Captioned:
    """An image and what several systems wrote about it."""

    image: Array | None  # (height, width, 3), 0 to 255 or 0 to 1; None where it is not at hand
    captions: Mapping[str, str]  # system -> caption
    title: str = ""


def captions_side_by_side(shown: Sequence[Captioned], occurrences: Mapping[str, int], *, at_most: int) -> Figure:
    """Images with each system's caption below; words that training had at most so often are bold, with their count.

    (Fixed target embeddings, figures 3 and 4.) Raises ValueError when there is nothing to show.
    """
    if not shown:
        raise ValueError("there are no captions to show")
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    lines = max(len(one.captions) for one in shown)
    figure = Figure(figsize=(4 * columns, rows * (3 + 0.6 * lines)), layout="constrained")
    for place, one in enumerate(shown, start=1):
        axes = figure.add_subplot(rows, columns, place)
        _picture(axes, one)
        text = "\n".join(f"{name}: {_marked(said, occurrences, at_most)}" for name, said in one.captions.items())
        axes.set_xlabel(text, fontsize=9, wrap=True)
    return figure


def _picture(axes: Axes, one: Captioned) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(one.title, fontsize=9)
    if one.image is None:
        axes.set_facecolor("#f1f3f5")
        axes.text(0.5, 0.5, "image not at hand", ha="center", va="center", color=GREY, transform=axes.transAxes)
    else:
        axes.imshow(np.asarray(one.image))


def _marked(caption: str, occurrences: Mapping[str, int], at_most: int) -> str:
    """Rare words in mathematical bold with their count behind them; `$` and other signs stay as they are."""
    words = []
    for word in caption.split():
        count = occurrences.get(word.lower(), 0)
        plain = word.replace("$", r"\$")
        bold = re.fullmatch(r"[A-Za-z0-9-]+", word) and count <= at_most
        words.append(rf"$\mathbf{{{plain}}}$ ({count:,})" if bold else plain)
    return " ".join(words)


def _colours(count: int) -> list[str]:
    known = [SECOND, FIRST, "#2f9e44", "#9c36b5", GREY]
    return [known[k % len(known)] for k in range(count)]
