"""`pixels`: each box's crop, resized to a square and flattened. Needs no weights; for drawings and tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chiasm.data.extractors import Extractor, check_boxes, signed
from chiasm.data.proposals import propose_boxes


class Extract(Extractor):
    """Crops of `size` x `size` pixels as F = 3 size^2 numbers in [-1, 1], row by row, red green blue.

    Without boxes they are proposed: the connected areas that differ from the background, the largest first. An image
    in which nothing differs, or whose list of boxes is empty, has one region: the whole image. `whole_image` puts
    the whole image before the other regions of every image.
    """

    name: ClassVar[str] = "pixels"
    version: ClassVar[str] = "2"

    def __init__(self, *, size: int = 16, whole_image: bool = False) -> None:
        if size < 1:
            raise ValueError(f"size is {size}: a crop needs at least 1 pixel")
        self.options = {"size": size, "whole_image": whole_image}

    @property
    def feature_size(self) -> int:
        return 3 * int(self.options["size"]) ** 2

    def __call__(
        self, image: Image.Image, boxes: Sequence[Sequence[float]] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        width, height = image.size
        chosen = propose_boxes(image) if boxes is None else check_boxes(boxes, width, height)
        if self.options["whole_image"] or len(chosen) == 0:
            chosen = np.concatenate([[[0.0, 0.0, width, height]], chosen.reshape(-1, 4)])
        features = np.stack([crop(image, box, self.options["size"]) for box in chosen])
        return features, (chosen / [width, height, width, height]).astype(np.float32)


def crop(image: Image.Image, box: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """(F,): the pixels inside `box`, resized to `size` x `size`, in [-1, 1]."""
    x1, y1, x2, y2 = box.tolist()
    part = image.resize((size, size), Image.Resampling.BILINEAR, box=(x1, y1, x2, y2))
    return signed(np.asarray(part, dtype=np.float32).reshape(-1))
