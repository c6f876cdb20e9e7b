"""`npz`: a folder with one file an image, with the names of bottom-up-attention.pytorch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chiasm.data.exporters import Exported


def write(images: Iterator[Exported], path: Path) -> int:
    """One file an image, called by its id. The folder gets its name when all are there."""
    aside = path.with_name(f".{path.name}.partial")
    aside.mkdir(exist_ok=True)
    count = 0
    for image in images:
        count += 1
        sizes = {"num_bbox": len(image.boxes), "image_w": image.width, "image_h": image.height}
        arrays: dict[str, Any] = {"x": image.features, "bbox": image.boxes, **sizes, **image.more}
        np.savez(aside / f"{image.id}.npz", **arrays)
    aside.rename(path)
    return count
