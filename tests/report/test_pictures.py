"""Pictures of evidence: what is more relevant is drawn stronger."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import torch
from PIL import Image

from chiasm.explain.explanation import View, Word
from chiasm.report.pictures import AGAINST, data_uri, head_grid, heat_map, shaded_image, shaded_words, tinted


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_the_most_relevant_box_lifts_the_veil_wholly() -> None:
    view = View(Image.new("RGB", (100, 50)), torch.tensor([[0, 0, 0.5, 1.0], [0.5, 0, 1, 1]]))
    drawn = shaded_image(view, [1.0, 0.25], alt="x", name="a")
    assert re.findall(r"fill:rgb\(0 0 0 / ([\d.]+)\)", drawn) == ["1.000", "0.250"]
    assert 'viewBox="0 0 100 50.00"' in drawn
    assert 'x="50.00" y="0.00" width="50.00" height="50.00"' in drawn


def test_without_relevance_there_is_no_veil() -> None:
    view = View(Image.new("RGB", (10, 10)), torch.tensor([[0, 0, 1.0, 1.0]]))
    assert "<mask" not in shaded_image(view, [0.0], alt="x", name="a")


def test_small_boxes_are_drawn_over_large_ones() -> None:
    view = View(Image.new("RGB", (10, 10)), torch.tensor([[0.4, 0.4, 0.5, 0.5], [0, 0, 1.0, 1.0]]))
    drawn = shaded_image(view, [1.0, 1.0], alt="x", name="a")
    assert drawn.index("region 2:") < drawn.index("region 1:")


def test_words_are_shaded_by_sign_and_strength() -> None:
    words = [Word("red", (1,)), Word("cube", (2,)), Word("?", (3,), space=False)]
    drawn = shaded_words(words, [1.0, -0.5, 0.0])
    assert re.findall(r"background:rgb\(([\d ]+) / ([\d.]+)\)", drawn)[1] == (AGAINST, "0.275")
    assert re.sub(r"<[^>]*>", "", drawn) == "red cube?"


def test_large_photographs_are_shrunk_and_small_pictures_kept_exactly() -> None:
    assert opened(data_uri(Image.new("RGB", (2000, 1000)))).size == (640, 320)
    small = Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    assert np.array_equal(np.asarray(opened(data_uri(small))), np.asarray(small))


def test_a_tint_is_as_opaque_as_its_value() -> None:
    pixels = np.asarray(tinted(np.array([[0.0, 0.25], [0.5, 1.0]])))
    assert pixels[..., 3].tolist() == [[0, 64], [128, 255]]


def test_a_heat_map_names_its_rows_and_columns() -> None:
    drawn = heat_map(np.ones((2, 3)), ["what", "colour"], ["1", "2", "3"], title="words look at regions")
    assert re.findall(r">([^<>]+)</text>", drawn) == ["what", "colour", "1", "2", "3"]


def test_the_grid_has_a_cell_for_every_head_of_every_layer() -> None:
    drawn = head_grid([torch.rand(4, 6, 5) for _ in range(3)], title="x")
    uri = re.search(r'src="([^"]+)"', drawn)
    assert uri
    assert opened(uri.group(1)).size == (4 * 5 + 3, 3 * 6 + 2)
