"""Figures: of the right parts, in the right places, as PNG and as SVG."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from chiasm.explain.draw import (
    draw_cross,
    draw_curves,
    draw_explanation,
    draw_heads,
    draw_regions,
    draw_words,
    png,
    svg,
)
from chiasm.explain.explanation import Explanation, explain_example
from tests.serve.small import examples, small_bundle


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    rows = examples(1, images=2)
    row = type(rows[0])("p", {**rows[0].values, "boxes": ([[8, 6, 40, 30]], [[8, 6, 40, 30], [0, 0, 20, 20]])})
    return explain_example(small_bundle(rows, images=2), row, random_orders=2)


def test_an_explanation_has_images_words_and_curves(explanation: Explanation) -> None:
    axes = draw_explanation(explanation).axes
    assert len(axes) == 5, "words, two images, curves of words and of regions"
    titles = [one.get_title() for one in axes]
    assert titles[3].startswith("text: ")
    assert titles[4].startswith("regions: ")


def test_a_box_lies_where_the_region_is(explanation: Explanation) -> None:
    assert explanation.main is not None
    (axes,) = draw_regions(explanation, explanation.main, view=0).axes
    (box,) = {patch.get_bbox().bounds for patch in axes.patches if isinstance(patch, Rectangle)}
    assert box == pytest.approx((8, 6, 32, 24))


def test_the_words_are_those_of_the_question(explanation: Explanation) -> None:
    assert explanation.main is not None
    (axes,) = draw_words(explanation, explanation.main).axes
    assert [text.get_text() for text in axes.texts] == [word.text for word in explanation.words()]


def test_every_head_of_every_layer_is_drawn(explanation: Explanation) -> None:
    (maps,) = [m for m in explanation.maps if m.evidence.title == "words look at regions"]
    axes = draw_heads(maps, view=1).axes
    assert len(axes) == 2 * 4
    drawn = axes[-1].images[0].get_array()
    assert np.allclose(np.asarray(drawn), maps.layers[-1][1, -1].numpy())


def test_both_directions_are_drawn_with_their_names(explanation: Explanation) -> None:
    axes = draw_cross(explanation).axes
    assert [one.get_title() for one in axes] == ["words look at regions", "regions look at words"]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == list(explanation.tokens)
    assert [label.get_text() for label in axes[1].get_yticklabels()] == ["1", "2"]


def test_curves_show_every_random_order(explanation: Explanation) -> None:
    assert explanation.main is not None
    score = explanation.main.faithfulness["text"]
    (axes,) = draw_curves([score]).axes
    assert len(axes.lines) == len(score.random_order) + 3


def test_a_png_can_be_opened_and_an_svg_is_the_same_each_time(explanation: Explanation) -> None:
    assert explanation.main is not None
    assert Image.open(io.BytesIO(png(draw_regions(explanation, explanation.main), dpi=50))).width > 50
    first, second = (svg(draw_words(explanation, explanation.main)) for _ in range(2))
    assert first == second
    assert "<svg" in first


def test_an_explanation_without_reasons_is_refused(explanation: Explanation) -> None:
    with pytest.raises(ValueError, match="no attribution"):
        draw_explanation(replace(explanation, attributions=()))
    with pytest.raises(ValueError, match="no attention between its streams"):
        draw_cross(replace(explanation, maps=()))
