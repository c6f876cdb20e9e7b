"""`tsv`: one file of tab-separated lines with arrays in base64, as LXMERT distributes regions."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chiasm.data.exporters import Exported
from chiasm.data.tsv import COLUMNS

TYPES = {"objects_id": "<i8", "objects_conf": "<f4", "attrs_id": "<i8", "attrs_conf": "<f4"}


def write(images: Iterator[Exported], path: Path) -> int:
    """One line an image. Classes and attributes that the store does not have are -1, their confidences 0."""
    count = 0
    aside = path.with_name(f".{path.name}.partial")
    with aside.open("w", encoding="utf-8") as file:
        for image in images:
            count += 1
            file.write(_line(image) + "\n")
    aside.rename(path)
    return count


def _line(image: Exported) -> str:
    boxes = len(image.boxes)
    unknown: dict[str, NDArray[Any]] = {
        key: np.full(boxes, -1 if key.endswith("id") else 0, dtype=kind) for key, kind in TYPES.items()
    }
    arrays = {key: np.asarray(value, dtype=TYPES[key]) for key, value in {**unknown, **image.more}.items()}
    arrays |= {"boxes": image.boxes.astype("<f4"), "features": image.features.astype("<f4")}
    cells: dict[str, str] = {key: base64.b64encode(value.tobytes()).decode() for key, value in arrays.items()}
    cells |= {"img_id": image.id, "img_w": str(image.width), "img_h": str(image.height), "num_boxes": str(boxes)}
    return "\t".join(cells[column] for column in COLUMNS)
