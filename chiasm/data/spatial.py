"""How boxes lie to each other, as one class for each ordered pair: ReGAT's eleven spatial classes.

The classes are those of Li and others, "Relation-aware graph attention network for visual question answering" (ICCV
2019), sheet `qrr` section 3. Relations in words, several for a pair, are in `geometry`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chiasm.data.example import DataError

# What i is to j: class c is SPATIAL_CLASSES[c - 1]; 0 is no relation. 4 to 11 are the eight directions of 45 degrees in
# which i lies as seen from j, clockwise on the picture, beginning at "right" and going down.
SPATIAL_CLASSES: tuple[str, ...] = (
    "contains", "is inside", "overlaps",
    "right to lower right of", "lower right to below", "below to lower left of", "lower left to left of",
    "left to upper left of", "upper left to above", "above to upper right of", "upper right to right of",
)  # fmt: skip
OVERLAP = 0.5  # IoU from which two boxes overlap (ReGAT)
REACH = 0.5  # of the image's diagonal: centres further apart have no direction (ReGAT)


def spatial_graph(boxes: Any, width: float, height: float, *, as_released: bool = False) -> tuple[Tensor, Tensor]:
    """(R, 4) boxes x1, y1, x2, y2 in pixels -> edges (E, 2) int64 source and target, classes (E,) int64 1 to 11.

    An edge is there for every ordered pair of different boxes with a class, sorted by source, then target.
    """
    classes = spatial_classes(boxes, width, height, as_released=as_released)
    edges = classes.nonzero()
    return edges, classes[edges[:, 0], edges[:, 1]]


def spatial_classes(boxes: Any, width: float, height: float, *, as_released: bool = False) -> Tensor:
    """(R, 4) boxes x1, y1, x2, y2 in pixels -> (R, R) int64: the class of each ordered pair (i, j), 0 for none.

    1 when j is strictly inside i, 2 when j strictly covers i, 3 when they overlap; else, when the centres are nearer
    than half the diagonal, 4 to 11 by the angle of the vector from j's centre to i's. A box of four zeros is padding
    and has no relation, neither has a box to itself. Raises `DataError` for what is no list of boxes.

    # Differs: the released code mirrors one quadrant and takes a wrong angle for the way back; `as_released` does the
    # same, for features and weights made with it. Boxes with one centre, where it divides by zero, have no direction.
    """
    corners = _corners(boxes)
    low, high = corners[:, None, :], corners[None, :, :]  # box i, box j
    contains = (low[..., :2] < high[..., :2]).all(-1) & (low[..., 2:] > high[..., 2:]).all(-1)
    overlap = iou(corners) >= OVERLAP
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    apart = centres[:, None] - centres[None]  # (R, R, 2): from j's centre to i's
    distance = apart.norm(dim=-1)
    near = (distance < REACH * (width**2 + height**2) ** 0.5) & (distance > 0)
    direction = _released_direction(apart) if as_released else _direction(apart)
    classes = torch.where(near, direction, 0)
    classes[overlap] = 3
    classes[contains.T] = 2
    classes[contains] = 1
    real = corners.sum(1) != 0
    return classes * (real[:, None] & real) * (1 - torch.eye(len(corners), dtype=torch.int64))


def _direction(apart: Tensor) -> Tensor:
    """(R, R, 2) offsets -> (R, R) classes 4 to 11: the way there and the way back differ by 4."""
    eighth = torch.rad2deg(torch.atan2(apart[..., 1], apart[..., 0])) % 360 / 45
    return eighth.ceil().long().clamp(min=1) + 3  # exactly 0 degrees counts with the first eighth


def _released_direction(apart: Tensor) -> Tensor:
    """The same as ReGAT's code computes it: for i < j from the offset, and the way back from the angle of the way."""
    x, y = apart.unbind(-1)
    length = apart.norm(dim=-1).clamp(min=1e-12)
    pi, sine, cosine = torch.pi, y / length, x / length
    first = (sine >= 0) & (cosine >= 0)
    fourth = (sine < 0) & (cosine >= 0)
    second = (sine >= 0) & (cosine < 0)
    there = torch.where(first, sine.asin(), 2 * pi - sine.acos())  # the third quadrant: mirrored
    there = torch.where(fourth, sine.asin() + 2 * pi, torch.where(second, cosine.acos(), there))
    back = torch.where(sine >= 0, 2 * pi - there, there - pi)
    there, back = ((angle / (pi / 4)).ceil().long() + 3 for angle in (there, back))
    return there.triu(1) + back.triu(1).T


def iou(boxes: Tensor) -> Tensor:
    """(R, 4) in pixels -> (R, R) intersection over union; a box covers its last pixel too (areas with + 1)."""
    area = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = (high - low + 1).clamp(min=0).prod(2)
    return common / (area[:, None] + area[None] - common)


def _corners(boxes: Any) -> Tensor:
    """(R, 4) float64."""
    corners = torch.as_tensor(boxes, dtype=torch.float64)
    if corners.numel() == 0:
        return corners.reshape(0, 4)
    if corners.ndim != 2 or corners.shape[1] != 4 or not bool(torch.isfinite(corners).all()):
        raise DataError(f"boxes of shape {tuple(corners.shape)}; (R, 4) finite numbers x1, y1, x2, y2 are expected")
    return corners
