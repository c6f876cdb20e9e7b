"""`grid`: the image cut into equal cells, each resized and flattened. Needs no weights and no boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chiasm.data.extractors import Extractor, cell_boxes, signed


class Extract(Extractor):
    """`rows` x `columns` cells, from the top left, line by line; each `size` x `size` pixels, F = 3 size^2 in [-1, 1].

    Boxes of the row are not looked at: the cells are the regions.
    """

    name: ClassVar[str] = "grid"
    version: ClassVar[str] = "2"

    def __init__(self, *, rows: int = 6, columns: int = 6, size: int = 16) -> None:
        if min(rows, columns, size) < 1:
            raise ValueError(f"rows {rows}, columns {columns} and size {size} must be at least 1")
        self.options = {"rows": rows, "columns": columns, "size": size}

    @property
    def feature_size(self) -> int:
        return 3 * int(self.options["size"]) ** 2

    def __call__(
        self, image: Image.Image, boxes: Sequence[Sequence[float]] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows, columns, size = self.options["rows"], self.options["columns"], self.options["size"]
        resized = image.resize((columns * size, rows * size), Image.Resampling.BILINEAR)
        cells = np.asarray(resized, dtype=np.float32).reshape(rows, size, columns, size, 3)
        features = signed(cells.transpose(0, 2, 1, 3, 4).reshape(rows * columns, -1))
        return features, cell_boxes(rows, columns)
