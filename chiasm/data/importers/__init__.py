"""Features that other tools wrote -> a feature store. A file here is a format, found by its name.

Each defines `read(place: Path) -> Iterator[StoredImage | RowError]`, image after image, so that memory does not grow
with what is read; an error stands in the place of an image that cannot be used. `MADE_BY` is the extractor that files
of this format come from, where there is only one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chiasm.data.example import DataError, RowError
from chiasm.data.extractors import ExtractorIdentity, check_areas
from chiasm.data.features import FeatureStore
from chiasm.data.progress import track
from chiasm.data.store_writer import StoreWriter
from chiasm.registry import find, names

# The columns of `StoreWriter.append`, by what other tools call them.
OPTIONAL = {
    "objects_id": "labels",
    "objects": "labels",
    "objects_conf": "confidences",
    "cls_prob": "confidences",
    "attrs_id": "attributes",
    "attrs_conf": "attribute_confidences",
}


@dataclass(frozen=True)
class StoredImage:
    """The regions of one image, boxes divided by its size."""

    id: str
    features: NDArray[Any]  # (R, F)
    boxes: NDArray[np.float32]  # (R, 4) in [0, 1]
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # labels, confidences, ... (R,)


def import_features(
    place: Path,
    format_name: str,
    folder: Path,
    *,
    made_by: str = "",
    version: str = "unknown",
    dtype: str = "float16",
    ids: str = "{}",
) -> FeatureStore:
    """A feature store at `folder` of the files at `place`; images that cannot be used are in its `about["left_out"]`.

    `made_by` and `version` name the extractor, which the files do not. `ids` makes an image's id of that in the files,
    e.g. "COCO_train2014_{:012d}" of a number. Raises `DataError`, and `UnknownName` for a format.
    """
    module = find(__name__, __path__, format_name, what="format of features")
    if not place.exists():
        raise DataError(f"{place} does not exist")
    images = iter(track(module.read(place), None, format_name))
    left_out: dict[str, str] = {}
    first = next((image for image in images if not _is_bad(image, left_out)), None)
    if first is None:
        raise DataError(
            f"{place}: no image can be used" + (f", e.g. {next(iter(left_out.values()))}" if left_out else "")
        )
    identity = getattr(module, "MADE_BY", None) if not made_by else None
    if identity is None:
        if not made_by:
            raise DataError("the files do not say which extractor made the features: give its name (--made-by NAME)")
        identity = ExtractorIdentity(made_by, version, "imported", first.features.shape[1])
    with StoreWriter(folder, identity, dtype=dtype) as writer:
        for image in chain([first], images):
            if not _is_bad(image, left_out):
                writer.append(_named(ids, image.id), image.features, image.boxes, **image.more)
        writer.about.update(imported={"format": format_name, "from": place.name}, left_out=left_out)
    return FeatureStore(folder)


def format_names() -> list[str]:
    """All formats that can be read."""
    return names(__name__, __path__)


def stored(name: str, values: Mapping[str, Any], *, origin: str) -> StoredImage:
    """An image from features, boxes in pixels and its size, under any of the names that tools give them.

    Raises `RowError` naming what is missing or of the wrong shape.
    """
    try:
        features = np.asarray(_first(values, "features", "x", "image_feat", "image_feature"))
        boxes = np.asarray(_first(values, "bbox", "boxes", "image_bboxes", "bboxes"), dtype=np.float64)
        width = float(_first(values, "image_width", "image_w", "width", "img_w"))
        height = float(_first(values, "image_height", "image_h", "height", "img_h"))
        count = int(next((values[key] for key in ("num_boxes", "num_bbox") if key in values), len(features)))
        if features.ndim != 2 or boxes.shape != (len(features), 4):
            raise ValueError(f"features of shape {features.shape} and boxes of shape {boxes.shape}")
        shares = (boxes / [width, height, width, height]).astype(np.float32)
        more = {column: _flat(values[key])[:count] for key, column in OPTIONAL.items() if key in values}
        return StoredImage(name, features[:count], shares[:count].clip(0, 1), more)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise RowError(f"no features that can be used ({error})", origin=origin, row_id=name) from error


def _first(values: Mapping[str, Any], *keys: str) -> Any:
    for key in keys:
        if key in values:
            return values[key]
    raise KeyError(f"{' or '.join(keys)} is missing")


def _flat(values: ArrayLike) -> NDArray[Any]:
    """(R,) of (R,) numbers, or of (R, C) probabilities of classes: that of the likeliest."""
    array = np.asarray(values)
    return array.max(axis=1) if array.ndim == 2 else array


def _is_bad(image: StoredImage | RowError, left_out: dict[str, str]) -> bool:
    if isinstance(image, StoredImage):
        try:
            check_areas(image.boxes)
            return False
        except DataError as error:
            image = RowError(f"no features that can be used ({error})", row_id=image.id)
    left_out[image.row_id or image.origin] = str(image)
    return True


def _named(template: str, name: str) -> str:
    try:
        return template.format(int(name) if name.isdigit() and ":" in template else name)
    except (ValueError, IndexError, KeyError) as error:
        raise DataError(f"ids {template!r} makes no id of {name!r}: {error}") from error


Read = Iterator[StoredImage | RowError]
