"""Figures of captions: they show what they are given, and refuse what they cannot show."""

from __future__ import annotations

import numpy as np
import pytest

from chiasm.explain.caption_figures import (
    Captioned,
    alpha_curves,
    captions_side_by_side,
    magnitudes_by_frequency,
    validity_violins,
)
from chiasm.explain.draw import png
from chiasm.metrics.estimate import Estimate


def test_violins_show_the_sorted_scores_of_images_with_so_many_references() -> None:
    draw = np.random.default_rng(0)
    scores = [draw.dirichlet(np.ones(5)) for _ in range(50)] + [np.array([1.0])]
    figure = validity_violins(scores)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"score-{k}" for k in range(1, 6)]
    assert axes.get_title() == "50 images with 5 captions"
    tops = [body.get_paths()[0].vertices[:, 1].max() for body in axes.collections[:5]]
    assert tops == sorted(tops, reverse=True)
    with pytest.raises(ValueError, match="none of the 51 images has 7 references"):
        validity_violins(scores, references=7)


def test_alpha_curves_are_drawn_in_order_of_alpha_times_100() -> None:
    curves = {"VBCS+WCS": {a: Estimate(1.1 - a / 10, 1.0, 1.2, 9) for a in (0.5, 0.1, 0.2)}}
    axes = alpha_curves(curves, baseline=Estimate(1.05, 1.0, 1.1, 9)).axes[0]
    assert axes.lines[0].get_xdata().tolist() == [0.1, 0.2, 0.5]
    assert axes.lines[0].get_ydata() == pytest.approx([109, 108, 105])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["VBCS+WCS", "no smoothing"]


def test_magnitudes_leave_out_words_that_never_occur() -> None:
    vectors = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]])
    figure = magnitudes_by_frequency({"trained": vectors, "drawn": vectors}, [1, 100, 0])
    first, second = figure.axes
    assert first.collections[0].get_offsets().tolist() == [[1, 5], [100, 1]]
    assert first.get_title() == "trained: Spearman -1.00"
    assert second.get_title().startswith("drawn")


def test_rare_words_of_captions_are_marked_with_their_count() -> None:
    seen = {"a": 500, "bird": 300, "seagull": 20}
    shown = [Captioned(np.zeros((4, 6, 3)), {"free": "a bird", "fixed": "a seagull costs $5"}), Captioned(None, {})]
    figure = captions_side_by_side(shown, seen, at_most=100)
    text = figure.axes[0].get_xlabel()
    assert text.startswith("free: a bird\nfixed: a ")
    assert r"$\mathbf{seagull}$ (20)" in text
    assert png(figure)[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match="no captions to show"):
        captions_side_by_side([], seen, at_most=1)
