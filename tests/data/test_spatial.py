"""The classes of pairs of boxes: the reference table of the sheet, by both rules."""

from __future__ import annotations

import pytest
import torch

from chiasm.data.example import DataError
from chiasm.data.spatial import SPATIAL_CLASSES, spatial_classes, spatial_graph

# Sheet `qrr`, section 9, E: boxes i and j in an image of 640 x 480, classes (i to j, j to i), intended and released.
TABLE = [
    ((10, 10, 200, 200), (50, 50, 100, 100), (1, 2), (1, 2)),
    ((50, 50, 100, 100), (10, 10, 200, 200), (2, 1), (2, 1)),
    ((0, 0, 99, 99), (20, 0, 119, 99), (3, 3), (3, 3)),
    ((200, 100, 240, 140), (100, 100, 140, 140), (4, 7), (3, 11)),
    ((200, 200, 240, 240), (100, 100, 140, 140), (4, 8), (4, 10)),
    ((100, 200, 140, 240), (100, 100, 140, 140), (5, 9), (5, 9)),
    ((100, 300, 140, 340), (158, 200, 198, 240), (6, 10), (6, 9)),
    ((100, 100, 140, 140), (200, 100, 240, 140), (7, 4), (7, 7)),
    ((100, 100, 140, 140), (200, 136, 240, 176), (8, 4), (9, 5)),
    ((100, 100, 140, 140), (136, 200, 176, 240), (9, 5), (8, 4)),
    ((200, 100, 240, 140), (100, 136, 140, 176), (11, 7), (11, 7)),
    ((0, 0, 40, 40), (590, 430, 630, 470), (0, 0), (0, 0)),
]


@pytest.mark.parametrize(("first", "second", "intended", "released"), TABLE)
def test_pairs_have_the_classes_of_the_sheet(
    first: tuple[int, ...], second: tuple[int, ...], intended: tuple[int, int], released: tuple[int, int]
) -> None:
    boxes = [first, second]
    ours, theirs = (spatial_classes(boxes, 640, 480, as_released=flag) for flag in (False, True))
    assert (ours[0, 1].item(), ours[1, 0].item()) == intended
    assert (theirs[0, 1].item(), theirs[1, 0].item()) == released


def test_the_way_back_is_the_opposite_class() -> None:
    corners = torch.rand(40, 2, generator=torch.Generator().manual_seed(0)) * 200
    boxes = torch.cat([corners, corners + 10], 1)
    classes = spatial_classes(boxes, 640, 480)
    directed = classes >= 4
    assert directed.any()
    assert ((classes - classes.T).abs()[directed] == 4).all()


def test_padding_boxes_and_a_box_itself_have_no_relation() -> None:
    edges, classes = spatial_graph([[10, 10, 50, 50], [0, 0, 0, 0], [60, 10, 90, 50]], 100, 100)
    assert edges.tolist() == [[0, 2], [2, 0]]
    assert [SPATIAL_CLASSES[c - 1] for c in classes.tolist()] == ["lower left to left of", "right to lower right of"]


def test_no_boxes_make_no_graph_and_wrong_ones_are_refused() -> None:
    assert spatial_graph([], 10, 10)[0].shape == (0, 2)
    with pytest.raises(DataError, match=r"boxes of shape \(1, 3\)"):
        spatial_graph([[1, 2, 3]], 10, 10)


def test_boxes_with_one_centre_have_no_direction() -> None:
    assert spatial_classes([[0, 40, 100, 60], [40, 0, 60, 100]], 200, 200).tolist() == [[0, 0], [0, 0]]
