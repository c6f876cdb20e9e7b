"""Boxes for images without any: the connected areas that differ from a plain background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def propose_boxes(
    image: Image.Image, *, difference: int = 24, min_share: float = 0.0008, max_boxes: int = 100
) -> NDArray[np.float64]:
    """An RGB image -> (R, 4) boxes x1, y1, x2, y2 in pixels, the largest area first.

    A pixel belongs to an object when one channel differs from the background (the commonest colour) by more than
    `difference` of 255. Areas under `min_share` of the image are noise.
    """
    pixels = np.asarray(image, dtype=np.int16)
    differs = (np.abs(pixels - background_colour(pixels)) > difference).any(axis=2)
    labels, count = ndimage.label(differs, structure=EIGHT_NEIGHBOURS)
    if count == 0:
        return np.empty((0, 4))
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    smallest = max(4.0, min_share * differs.size)
    boxes = [(float(x.start), float(y.start), float(x.stop), float(y.stop)) for (y, x) in ndimage.find_objects(labels)]
    largest_first = [i for i in np.argsort(-areas, kind="stable") if areas[i] >= smallest]
    return np.array([boxes[i] for i in largest_first[:max_boxes]]).reshape(-1, 4)


def background_colour(pixels: NDArray[np.int16]) -> NDArray[np.int16]:
    """(height, width, 3) -> (3,): the mean of the commonest colour, colours in steps of 16 taken as one."""
    steps = pixels.reshape(-1, 3) >> 4
    codes = (steps[:, 0] << 8) + (steps[:, 1] << 4) + steps[:, 2]
    commonest = np.bincount(codes, minlength=4096).argmax()
    return np.rint(pixels.reshape(-1, 3)[codes == commonest].mean(axis=0)).astype(np.int16)
