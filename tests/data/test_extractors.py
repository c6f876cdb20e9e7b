"""The extractors that need no weights, and boxes for images without any."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from chiasm.data.example import DataError
from chiasm.data.extractors import check_boxes, extractor_names, make_extractor
from chiasm.data.proposals import propose_boxes
from chiasm.registry import UnknownName

GRASS = (190, 225, 170)


@pytest.fixture
def drawing() -> Image.Image:
    """A red square, a blue circle with a dark outline, and a sign with a word, on grass."""
    image = Image.new("RGB", (120, 80), GRASS)
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 10, 29, 29), fill="red")
    draw.ellipse((50, 40, 79, 69), fill="blue", outline="black", width=2)
    draw.rectangle((90, 5, 117, 24), fill="orange", outline="black", width=2)
    draw.text((96, 9), "ZOO", fill="black")
    return image


BOXES = [[10, 10, 30, 30], [50, 40, 80, 70], [90, 5, 118, 25]]


def test_both_extractors_are_found_by_file_name() -> None:
    assert {"pixels", "grid"} <= set(extractor_names())


def test_an_unknown_extractor_or_option_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="did you mean 'pixels'"):
        make_extractor("pixel")
    with pytest.raises(UnknownName, match=r"option of extractor grid 'colums'; did you mean 'columns'"):
        make_extractor("grid", {"colums": 3})


def test_pixels_are_the_crop_of_each_box_in_order(drawing: Image.Image) -> None:
    features, boxes = make_extractor("pixels", {"size": 4})(drawing, BOXES)
    assert features.shape == (3, 48)
    assert features.dtype == np.float32
    assert features[0].reshape(4, 4, 3)[2, 1].tolist() == [1.0, -1.0, -1.0]
    assert features[1].reshape(4, 4, 3)[1, 2].tolist() == pytest.approx([-1, -1, 1], abs=0.02)
    assert boxes[0] == pytest.approx([10 / 120, 10 / 80, 30 / 120, 30 / 80])


def test_the_whole_image_can_be_the_first_region(drawing: Image.Image) -> None:
    features, boxes = make_extractor("pixels", {"size": 2, "whole_image": True})(drawing, BOXES)
    assert len(features) == 4
    assert boxes[0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("boxes", [[], None])
def test_an_image_without_regions_has_one_the_whole_image(boxes: list[list[float]] | None) -> None:
    _, corners = make_extractor("pixels")(Image.new("RGB", (20, 20), GRASS), boxes)
    assert corners.tolist() == [[0, 0, 1, 1]]


def test_the_grid_is_read_line_by_line() -> None:
    image = Image.new("RGB", (6, 4), "black")
    image.paste((255, 0, 0), (2, 0, 4, 2))  # second cell of the first line
    image.paste((0, 0, 255), (0, 2, 2, 4))  # first cell of the second line
    grid = make_extractor("grid", {"rows": 2, "columns": 3, "size": 2})
    features, boxes = grid(image, None)
    assert features.shape == (6, grid.feature_size) == (6, 12)
    assert features[1].reshape(4, 3).tolist() == [[1.0, -1.0, -1.0]] * 4
    assert features[3].reshape(4, 3).tolist() == [[-1.0, -1.0, 1.0]] * 4
    assert boxes[1] == pytest.approx([1 / 3, 0, 2 / 3, 1 / 2])
    assert boxes[5] == pytest.approx([2 / 3, 1 / 2, 1, 1])


def test_the_identity_changes_with_any_option() -> None:
    identities = {
        make_extractor("pixels").identity,
        make_extractor("pixels", {"size": 8}).identity,
        make_extractor("pixels", {"whole_image": True}).identity,
        make_extractor("grid").identity,
        make_extractor("grid", {"rows": 5}).identity,
    }
    assert len(identities) == 5
    assert make_extractor("pixels", {"size": 16}).identity == make_extractor("pixels").identity


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([0, 0, 130, 20], r"box 2, .* is outside the image of 120 x 80"),
        ([-5, 0, 10, 20], "box 2, .* is outside"),
        ([0, 0, 10, float("nan")], "box 2, .* is outside"),
        ([10, 10, 10, 20], "box 2, .* has no area"),
        ([20, 10, 10, 20], "box 2, .* has no area"),
    ],
)
def test_a_box_outside_the_image_or_without_area_is_named(box: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_boxes([[0, 0, 5, 5], box], 120, 80)


@pytest.mark.parametrize("boxes", [[[1, 2, 3]], [["a", 1, 2, 3]], 7, [[1, 2, 3, 4, 5]]])
def test_what_is_no_list_of_boxes_is_refused(boxes: Any) -> None:
    with pytest.raises(DataError, match="boxes are lists of four numbers"):
        check_boxes(boxes, 120, 80)


def test_a_box_may_stick_out_by_one_pixel() -> None:
    assert check_boxes([[-1, 0, 121, 80.5]], 120, 80).tolist() == [[0, 0, 120, 80]]


def test_objects_on_a_plain_background_are_found_exactly(drawing: Image.Image) -> None:
    found = propose_boxes(drawing)
    assert {tuple(map(int, box)) for box in found} == {tuple(box) for box in BOXES}
    areas = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
    assert areas[0] == areas.max()


def test_touching_squares_of_two_colours_are_two_objects() -> None:
    image = Image.new("RGB", (60, 60), GRASS)
    image.paste((255, 255, 0), (20, 10, 40, 30))
    image.paste((0, 0, 0), (20, 30, 40, 50))
    assert sorted(map(tuple, propose_boxes(image).tolist())) == [(20, 10, 40, 30), (20, 30, 40, 50)]


def test_noise_and_bands_across_the_image_are_no_objects() -> None:
    image = Image.new("RGB", (100, 100), GRASS)
    image.putpixel((50, 50), (0, 0, 0))
    image.paste((128, 128, 128), (70, 0, 80, 100))
    assert len(propose_boxes(image)) == 0


def test_the_shapes_of_nlvr_are_found(shared_data: Callable[..., Path]) -> None:
    folder = shared_data("nlvr1")
    found = wanted = extra = 0
    with (folder / "dev.jsonl").open() as lines, zipfile.ZipFile(folder / "dev_images.zip") as archive:
        for line in islice(lines, 40):
            row = json.loads(line)
            with archive.open(f"{row['identifier']}-0.png") as file:
                boxes = propose_boxes(Image.open(file).convert("RGB"))
            true = np.array(
                [
                    [150 * i + x["x_loc"], x["y_loc"], 150 * i + x["x_loc"] + x["size"], x["y_loc"] + x["size"]]
                    for i, items in enumerate(row["structured_rep"])
                    for x in items
                ]
            )
            close = np.abs(true[:, None] - boxes[None]).max(axis=2) <= 2
            found, wanted, extra = found + close.any(1).sum(), wanted + len(true), extra + (~close.any(0)).sum()
    assert found / wanted > 0.9  # touching shapes of one colour stay together
    assert extra / wanted < 0.06
