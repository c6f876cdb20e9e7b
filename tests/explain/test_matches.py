"""Affinities and rankings: named, shaded from lowest to highest, with each word's best region; drawn and on a page."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from chiasm.explain.evidence import Maps
from chiasm.explain.explanation import Explanation, View
from chiasm.explain.match_figures import draw_affinity, draw_ranking
from chiasm.explain.matches import crop, matches
from chiasm.models import Evidence
from chiasm.report.attention import attention_figures
from chiasm.report.cards import card
from chiasm.report.contents import Example
from chiasm.tasks import Prediction

TOKENS = ("[CLS]", "red", "bird", "[SEP]")
BOXES = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.5, 0.0, 1.0, 0.5], [0.0, 0.5, 0.5, 1.0]])
COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
AFFINITY = torch.tensor([[-5.0, -5.0, -5.0], [3.0, 1.0, -5.0], [0.0, 1.0, 2.0], [-1.0, -2.0, -3.0]])


def image() -> Image.Image:
    """A quarter of each colour, where the boxes are."""
    found = Image.new("RGB", (40, 20), (255, 255, 255))
    for colour, place in zip(COLOURS, ((0, 0), (20, 0), (0, 10)), strict=True):
        found.paste(colour, (*place, place[0] + 20, place[1] + 10))
    return found


def maps(kind: str, query: str, key: str, scores: Tensor) -> Maps:
    """One layer and head of scores (views, Q, K)."""
    return Maps(Evidence(kind, query, key, ("tap",), f"{kind} of {query}"), (scores[:, None],))


def explanation(*found: Maps, views: int = 1) -> Explanation:
    seen = tuple(View(image(), BOXES) for _ in range(views))
    return Explanation(Prediction("x", "yes", 0.8, (("yes", 0.8),)), "red bird", TOKENS, seen, found, ())


def ranking() -> Tensor:
    scores = torch.zeros(4, 4)
    scores[1, 2], scores[0, 3], scores[2, 3] = 0.75, -0.25, 0.5
    return scores


def test_the_best_region_of_a_word_is_that_of_its_highest_affinity() -> None:
    (table,) = matches(explanation(maps("affinity", "text", "regions", AFFINITY[None])))
    assert table.rows == TOKENS
    assert table.columns == ("1", "2", "3")
    assert table.best()[1:3] == [0, 2]
    assert table.highest(2) == [(1, 0, 3.0), (2, 2, 2.0)]
    assert table.to_json()["best"][1:3] == ["1", "3"]


def test_shades_go_from_the_lowest_score_to_the_highest() -> None:
    (table,) = matches(explanation(maps("affinity", "text", "regions", AFFINITY[None])))
    assert table.shades()[1].tolist() == [1.0, 0.75, 0.0]
    (flat,) = matches(explanation(maps("affinity", "text", "regions", torch.ones(1, 4, 3))))
    assert not flat.shades().any()


def test_a_ranking_counts_each_pair_once_and_its_lowest_is_not_where_there_is_none() -> None:
    (table,) = matches(explanation(maps("ranking", "text", "text", ranking()[None])))
    assert table.known().sum() == 6
    assert table.highest(2) == [(1, 2, 0.75), (2, 3, 0.5)]
    assert table.shades()[1, 2] == 1.0
    assert table.shades()[0, 1] == 0.25  # 0 lies between -0.25 and 0.75
    assert not np.tril(table.shades()).any()
    assert "best" not in table.to_json()


def test_each_image_has_a_table_and_regions_of_two_images_one() -> None:
    both = torch.stack([AFFINITY, AFFINITY.flip(1)])
    between = maps("affinity", "regions", "regions", torch.arange(9.0).view(1, 3, 3))
    found = matches(explanation(maps("affinity", "text", "regions", both), between, views=2))
    assert [table.images for table in found] == [(0,), (1,), (0, 1)]
    assert [table.views for table in found] == [(None, 0), (None, 1), (0, 1)]
    assert found[1].best()[1] == 2
    assert found[2].title.endswith(": images 1 and 2")


def test_as_many_tables_as_there_are_pairs_of_images_are_expected() -> None:
    between = maps("affinity", "regions", "regions", torch.zeros(2, 3, 3))
    with pytest.raises(ValueError, match="2 tables for 1 pairs of 2 images"):
        matches(explanation(between, views=2))


def test_attention_is_no_match() -> None:
    assert matches(explanation(maps("attention", "text", "regions", AFFINITY[None]))) == []
    assert matches(explanation(maps("relation", "scene_graph", "scene_graph", torch.zeros(1, 3, 3)))) == []


def test_padding_is_cut_off() -> None:
    padded = torch.full((1, 6, 5), 9.0)
    padded[:, :4, :3] = AFFINITY
    cut = maps("affinity", "text", "regions", padded).first({"text": 4, "regions": 3})
    (table,) = matches(explanation(cut))
    assert table.scores.tolist() == AFFINITY.tolist()


def test_a_crop_shows_what_is_in_the_box() -> None:
    view = View(image(), BOXES)
    for region, colour in enumerate(COLOURS):
        found = crop(view, region)
        assert found.size == (20, 10)
        assert found.getcolors() == [(200, colour)]
    empty = View(image(), torch.tensor([[1.0, 1.0, 1.0, 1.0]]))
    assert crop(empty, 0).size == (1, 1)


def framed(figure: Any) -> set[tuple[int, int]]:
    patches = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    return {(round(p.get_y() + 0.5), round(p.get_x() + 0.5)) for p in patches}


def test_figure_3_frames_and_shows_each_words_best_region() -> None:
    (table,) = matches(explanation(maps("affinity", "text", "regions", AFFINITY[None])))
    figure = draw_affinity(table, View(image(), BOXES))
    assert {(1, 0), (2, 2)} <= framed(figure)
    heat, beside = figure.axes
    assert [label.get_text() for label in heat.get_yticklabels()] == list(TOKENS)
    crops = [np.asarray(one.get_array())[0, 0].tolist() for one in beside.images]
    assert crops == [list(COLOURS[0]), list(COLOURS[2])]  # of the words, not of [CLS] and [SEP]
    places = [sum(one.get_extent()[2:]) / 2 for one in beside.images]
    assert places == pytest.approx([1, 2])  # beside their rows
    assert len(draw_affinity(table).axes) == 1


def test_figure_4_is_blank_below_the_diagonal_and_frames_the_highest() -> None:
    (table,) = matches(explanation(maps("ranking", "text", "text", ranking()[None])))
    figure = draw_ranking(table, count=2)
    assert framed(figure) == {(1, 2), (2, 3)}
    assert np.ma.getmaskarray(figure.axes[0].images[0].get_array()).sum() == 10
    assert "red \N{EN DASH} bird" in figure.axes[0].texts[0].get_text()


def test_the_figures_of_an_image_are_drawn_with_their_numbers_and_given_names() -> None:
    kinds = [
        maps("affinity", "text", "regions", torch.stack([AFFINITY, AFFINITY.flip(1)])),
        maps("ranking", "text", "text", torch.stack([ranking(), ranking() * 2])),
        maps("ranking", "regions", "regions", torch.ones(2, 3, 3).triu(1)),
        maps("affinity", "regions", "regions", torch.arange(9.0).view(1, 3, 3)),
    ]
    asked = explanation(*kinds, views=2)
    drawn = {one.name: one for one in attention_figures(asked, view=1, names=["bird", "branch", "sky"])}
    assert list(drawn) == ["affinity_text_regions", "ranking_text", "ranking_regions", "affinity_regions_regions"]
    assert drawn["affinity_text_regions"].numbers["columns"] == ["bird", "branch", "sky"]
    assert drawn["ranking_text"].numbers["scores"][1][2] == 1.5
    assert all(Image.open(io.BytesIO(one.picture)).width > 100 for one in drawn.values())
    with pytest.raises(ValueError, match="no attention and no affinities"):
        attention_figures(explanation())


def test_the_report_shows_heat_maps_and_a_crop_for_each_word() -> None:
    asked = explanation(
        maps("affinity", "text", "regions", AFFINITY[None]), maps("ranking", "text", "text", ranking()[None])
    )
    page = card(Example(asked, None), "e1")
    crops = re.findall(r'<figure><img src="data:image/png;base64,([^"]+)" alt="(region \d), best for (\w+)"', page)
    assert [crop[1:] for crop in crops] == [("region 1", "red"), ("region 3", "bird")]
    shown = Image.open(io.BytesIO(base64.b64decode(crops[1][0])))
    assert shown.convert("RGB").getpixel((0, 0)) == COLOURS[2]
    assert "Highest: red \N{EN DASH} bird, bird \N{EN DASH} [SEP]" in page
    assert "every head" not in page
    assert "rows match columns: white -5, darkest 3" in page
