"""The region files that LXMERT and bottom-up attention distribute: tab-separated, arrays in base64.

    img_id, img_h, img_w, objects_id, objects_conf, attrs_id, attrs_conf, num_boxes, boxes, features

Boxes are x1, y1, x2, y2 in pixels. Reading such a file whole takes minutes and tens of gigabytes; turned into a
feature store once, it opens at once.
"""

from __future__ import annotations

import base64
import binascii
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chiasm.data.example import DataError, RowError
from chiasm.data.extractors import ExtractorIdentity
from chiasm.data.features import FeatureStore
from chiasm.data.progress import track
from chiasm.data.store_writer import StoreWriter

COLUMNS = (
    "img_id", "img_h", "img_w", "objects_id", "objects_conf", "attrs_id", "attrs_conf", "num_boxes", "boxes", "features"
)  # fmt: skip
# Faster R-CNN, ResNet-101, Visual Genome's 1600 objects and 400 attributes, always 36 boxes (sheet section 2).
BOTTOM_UP = ExtractorIdentity("bottom-up-attention", "resnet101_faster_rcnn_iter_320000", "36 boxes", feature_size=2048)


@dataclass(frozen=True)
class TsvImage:
    """One line: the regions of one image, boxes divided by its size."""

    id: str
    features: NDArray[np.float32]  # (R, F)
    boxes: NDArray[np.float32]  # (R, 4) in [0, 1]
    labels: NDArray[np.int64]  # (R,) detected objects
    confidences: NDArray[np.float32]  # (R,)
    attributes: NDArray[np.int64]  # (R,) detected attributes
    attribute_confidences: NDArray[np.float32]  # (R,)


def read_tsv(file: Path) -> Iterator[TsvImage]:
    """The images of a file, one after the other. Raises `RowError` naming the line that cannot be read."""
    csv.field_size_limit(1 << 28)
    if not file.is_file():
        raise DataError(f"{file} is not there")
    with file.open(encoding="utf-8", newline="") as lines:
        for number, cells in enumerate(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), start=1):
            origin = f"{file.name}, line {number}"
            if len(cells) != len(COLUMNS):
                raise RowError(f"{len(cells)} columns instead of {len(COLUMNS)}: {', '.join(COLUMNS)}", origin=origin)
            try:
                yield _image(dict(zip(COLUMNS, cells, strict=True)))
            except (ValueError, binascii.Error) as error:
                raise RowError(f"the line is damaged ({error})", origin=origin, row_id=cells[0]) from error


def _image(row: dict[str, str]) -> TsvImage:
    count, size = int(row["num_boxes"]), np.array([row["img_w"], row["img_h"]] * 2, dtype=np.float64)

    def array(name: str, dtype: Any, *shape: int) -> NDArray[Any]:
        return np.frombuffer(base64.b64decode(row[name], validate=True), dtype=dtype).reshape(count, *shape)

    return TsvImage(
        id=row["img_id"],
        features=array("features", "<f4", -1),
        boxes=(array("boxes", "<f4", 4) / size).astype(np.float32),
        labels=array("objects_id", "<i8"),
        confidences=array("objects_conf", "<f4"),
        attributes=array("attrs_id", "<i8"),
        attribute_confidences=array("attrs_conf", "<f4"),
    )


def store_from_tsv(
    files: Sequence[Path], folder: Path, *, identity: ExtractorIdentity = BOTTOM_UP, dtype: str = "float16"
) -> FeatureStore:
    """A feature store of all images in the files. `identity` says who made the features."""
    with StoreWriter(folder, identity, dtype=dtype) as writer:
        for file in files:
            for image in track(read_tsv(file), None, file.name):
                writer.append(
                    image.id,
                    image.features,
                    image.boxes,
                    labels=image.labels,
                    confidences=image.confidences,
                    attributes=image.attributes,
                    attribute_confidences=image.attribute_confidences,
                )
    return FeatureStore(folder)
