"""A feature store -> files that other tools read. A file here is a format, found by its name.

Each defines `write(images: Iterator[Exported], path: Path) -> int`, image after image, and gives their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chiasm.data.example import DataError
from chiasm.data.features import FeatureStore
from chiasm.data.images import upright_size
from chiasm.data.progress import track
from chiasm.registry import find

# What other tools call the optional columns of a store.
NAMES = {
    "labels": "objects_id",
    "confidences": "objects_conf",
    "attributes": "attrs_id",
    "attribute_confidences": "attrs_conf",
}


@dataclass(frozen=True)
class Exported:
    """The regions of one image, boxes in pixels."""

    id: str
    width: int
    height: int
    features: NDArray[np.float32]  # (R, F)
    boxes: NDArray[np.float32]  # (R, 4) x1, y1, x2, y2
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # by the names in NAMES' values


def export_features(
    store: FeatureStore, format_name: str, path: Path, *, images: Mapping[str, Any] | None = None
) -> int:
    """Write all images of a store, in the order of their ids, to `path`; returns how many.

    `images` by id give the sizes for boxes in pixels; without them every image counts as 1 x 1, and boxes stay as they
    are. Raises `DataError` when `path` exists or an image's picture is not given, `UnknownName` for a format.
    """
    module = find(__name__, __path__, format_name, what="format to export to")
    if path.exists():
        raise DataError(f"{path} exists: delete it, or write elsewhere")
    path.parent.mkdir(parents=True, exist_ok=True)
    return int(module.write(track(exported(store, images), len(store), format_name), path))


def exported(store: FeatureStore, images: Mapping[str, Any] | None) -> Iterator[Exported]:
    """The images of a store, one in memory at a time."""
    for name in (image_id.decode() for image_id in store.ids):
        width, height = _size(name, images)
        regions = store.gather(store.rows([name]))
        more = {
            theirs: tensor[0].numpy()
            for ours, theirs in NAMES.items()
            if (tensor := getattr(regions, ours)) is not None
        }
        real = slice(None) if regions.attention_mask is None else regions.attention_mask[0].numpy()
        pixels = regions.boxes[0] * torch.tensor([width, height, width, height], dtype=torch.float32)
        yield Exported(
            name,
            width,
            height,
            regions.features[0].numpy()[real],
            pixels.numpy()[real],
            {key: values[real] for key, values in more.items()},
        )


def _size(name: str, images: Mapping[str, Any] | None) -> tuple[int, int]:
    if images is None:
        return 1, 1
    if name not in images:
        raise DataError(f"image {name} of the store is not among the {len(images)} images given for the sizes")
    return upright_size(images[name])
