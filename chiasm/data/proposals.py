"""Boxes for images without any: the connected areas that differ from a plain background."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Box = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels
EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def propose_boxes(
    image: Image.Image, *, difference: int = 24, min_share: float = 0.0008, max_boxes: int = 100
) -> NDArray[np.float64]:
    """An RGB image -> (R, 4) boxes x1, y1, x2, y2 in pixels, the largest area first.

    A pixel belongs to an object when one channel differs from the background (the commonest colour) by more than
    `difference` of 255. Areas under `min_share` of the image are noise, areas that reach from edge to opposite edge
    are background too. Objects of plain colours that touch are separated; see `plain_parts`.
    """
    pixels = np.asarray(image, dtype=np.int16)
    height, width = pixels.shape[:2]
    labels, _ = ndimage.label((np.abs(pixels - background_colour(pixels)) > difference).any(axis=2), EIGHT_NEIGHBOURS)
    smallest = max(4.0, min_share * width * height)
    found: list[tuple[int, Box]] = []
    for number, (y, x) in enumerate(ndimage.find_objects(labels), start=1):
        if x.stop - x.start == width or y.stop - y.start == height:
            continue
        inside = labels[y, x] == number
        area = int(inside.sum())
        if area < smallest:
            continue
        parts = plain_parts(pixels[y, x], inside) or [(area, (0, 0, x.stop - x.start, y.stop - y.start))]
        found += [(a, (x1 + x.start, y1 + y.start, x2 + x.start, y2 + y.start)) for a, (x1, y1, x2, y2) in parts]
    found.sort(key=lambda part: -part[0])
    return np.array([box for _, box in found[:max_boxes]], dtype=np.float64).reshape(-1, 4)


def plain_parts(
    pixels: NDArray[np.int16], inside: NDArray[np.bool_], *, smallest: float = 0.05, cover: float = 0.9
) -> list[tuple[int, Box]]:
    """The areas and boxes of the plainly coloured objects that make up a connected area; none when it is one object.

    It is several when areas of one colour each, not under `smallest` of the whole, cover `cover` of it and lie side
    by side. An outline, a pattern or a word shares its box with what it is on, so such an object stays whole.
    """
    colours = colour_codes(pixels)
    found, counts = np.unique(colours[inside], return_counts=True)
    plain = counts >= smallest * inside.sum()
    if counts[plain].sum() < cover * inside.sum():
        return []
    parts: list[tuple[int, Box]] = []
    for colour in found[plain]:
        labels, _ = ndimage.label(inside & (colours == colour))
        for number, (y, x) in enumerate(ndimage.find_objects(labels), start=1):
            area = int((labels[y, x] == number).sum())
            if area >= smallest * inside.sum():
                parts.append((area, (x.start, y.start, x.stop, y.stop)))
    covered = sum(area for area, _ in parts) >= cover * inside.sum()
    if len(parts) < 2 or not covered or any(share > 0.1 for share in _overlaps([box for _, box in parts])):
        return []
    return parts


def _overlaps(boxes: list[Box]) -> Iterator[float]:
    """For every two boxes, the share of the smaller one that is common to both."""
    for i, (ax1, ay1, ax2, ay2) in enumerate(boxes):
        for bx1, by1, bx2, by2 in boxes[i + 1 :]:
            common = max(0, min(ax2, bx2) - max(ax1, bx1)) * max(0, min(ay2, by2) - max(ay1, by1))
            yield common / min((ax2 - ax1) * (ay2 - ay1), (bx2 - bx1) * (by2 - by1))


def colour_codes(pixels: NDArray[np.int16]) -> NDArray[np.int16]:
    """(height, width, 3) -> (height, width): colours in 16 steps a channel, as one number each."""
    steps = pixels >> 4
    return (steps[..., 0] << 8) + (steps[..., 1] << 4) + steps[..., 2]


def background_colour(pixels: NDArray[np.int16]) -> NDArray[np.int16]:
    """(height, width, 3) -> (3,): the mean of the commonest colour, colours in steps of 16 taken as one."""
    codes = colour_codes(pixels)
    commonest = np.bincount(codes.reshape(-1), minlength=4096).argmax()
    return np.rint(pixels[codes == commonest].mean(axis=0)).astype(np.int16)
