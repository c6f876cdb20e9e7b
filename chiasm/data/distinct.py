"""Which images are the same: image values by name or content, and the distinct ones that examples use."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image
from torch import Tensor

from chiasm.data.example import DataError, Example, RowError, raise_rows

MEMBER = "::"  # between a zip archive and the name inside it


def image_name(value: Any) -> str:
    """How an error calls an image value."""
    if isinstance(value, (str, Path)):
        return repr(str(value))
    return f"given as {type(value).__name__}"


def image_key(value: Any) -> str:
    """What tells distinct images apart: the path, or a hash of the pixels or bytes."""
    if isinstance(value, (str, Path)):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, np.ndarray):
        return hashlib.sha256(repr(value.shape).encode() + value.tobytes()).hexdigest()
    if isinstance(value, Image.Image):
        return hashlib.sha256(_looks(value)).hexdigest()
    raise DataError(
        f"{value!r} is no image: give a path, 'archive.zip{MEMBER}member', bytes, a Pillow image or an array"
    )


def _looks(image: Image.Image) -> bytes:
    """The pixels of an image with all that says how they are seen. Raises `DataError` for a damaged one."""
    try:
        pixels = image.tobytes()
        palette = image.getpalette("RGBA") if image.mode in ("P", "PA") else None
        turned = image.getexif().get(ExifTags.Base.Orientation)
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise DataError(f"image {image_name(image)} is damaged ({error}): copy or download it again") from error
    seen = [value for value in (image.info.get("transparency"), palette, turned) if value is not None]
    return f"{image.mode}{image.size}{seen or ''}".encode() + pixels


def image_stem(value: Any) -> str | None:
    """The file name without folder and extension, which is the image's id in the official sets; None without a file."""
    if not isinstance(value, (str, Path)):
        return None
    return Path(str(value).rpartition(MEMBER)[2]).stem


class DistinctImages:
    """The distinct images of examples, and which of them each example uses.

    `values` are the distinct (image, boxes) pairs, `index` (examples, S) int64 the places in it. Raises naming every
    row without images, or with another number of images than the first row.
    """

    def __init__(self, examples: Sequence[Example], *, with_boxes: bool = False) -> None:
        self.values: list[tuple[Any, Any]] = []
        self.examples = examples
        known: dict[Any, int] = {}
        rows: list[list[int]] = []
        bad: list[RowError] = []
        for example in examples:
            try:
                images = _images_of(example)
                boxes = _boxes_of(example, len(images)) if with_boxes else (None,) * len(images)
                keys = [(image_key(i), _boxes_key(b)) for i, b in zip(images, boxes, strict=True)]
            except DataError as error:
                bad.append(RowError(str(error), origin=example.origin, row_id=example.id))
                continue
            for key, pair in zip(keys, zip(images, boxes, strict=True), strict=True):
                if key not in known:
                    known[key] = len(self.values)
                    self.values.append(pair)
            rows.append([known[key] for key in keys])
            if len(keys) != len(rows[0]):
                reason = f"{len(keys)} images, but the rows before have {len(rows[0])}"
                bad.append(RowError(reason, origin=example.origin, row_id=example.id))
        raise_rows(bad)
        self.index = torch.tensor(rows, dtype=torch.int64).reshape(len(rows), -1)

    def errors(self, reasons: Mapping[int, str]) -> list[RowError]:
        """What is wrong with some of `values`, by their place, as an error of every row that uses them."""
        found = []
        for place, reason in reasons.items():
            for row in (self.index == place).any(dim=1).nonzero()[:, 0].tolist():
                example = self.examples[row]
                found.append(RowError(reason, origin=example.origin, row_id=example.id))
        return found


def _images_of(example: Example) -> tuple[Any, ...]:
    images = example.values.get("images")
    if not isinstance(images, (tuple, list)) or not images or any(map(_is_nothing, images)):
        raise DataError("the row has no image")
    return tuple(images)


def _is_nothing(image: Any) -> bool:
    return image is None or (isinstance(image, str) and not image)


def _boxes_of(example: Example, count: int) -> tuple[Any, ...]:
    boxes = example.values.get("boxes")
    if boxes is None:
        return (None,) * count
    if not isinstance(boxes, Sequence | np.ndarray) or isinstance(boxes, str):
        raise DataError(f"boxes are {boxes!r:.40}, but the row has {count} image(s): give one list (or None) per image")
    if len(boxes) != count:
        raise DataError(f"boxes for {len(boxes)} images, but the row has {count}: give one list (or None) per image")
    return tuple(boxes)


def four_numbers(boxes: Any) -> NDArray[np.float64]:
    """Boxes of one image in any form -> (R, 4). Raises `DataError` for what is no list of four numbers each."""
    try:
        found = np.asarray(boxes, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.zeros(())
    if found.shape == (0,):
        return found.reshape(0, 4)
    if found.ndim != 2 or found.shape[1] != 4:
        raise DataError(f"boxes are lists of four numbers x1, y1, x2, y2 in pixels, not {boxes!r:.100}")
    return found


def _boxes_key(boxes: Any) -> bytes | None:
    """Boxes of one image as a hashable value. Raises `DataError`."""
    return None if boxes is None else four_numbers(boxes).tobytes()


def distinct_rows(index: Tensor) -> tuple[Tensor, Tensor | None]:
    """(B, S) rows in use -> the distinct rows (I,), and (B, S) places in them; None when example b uses row b alone."""
    rows, places = torch.unique(index, return_inverse=True)
    if index.shape[1] == 1 and len(rows) == len(index):
        return index[:, 0], None
    return rows, places


def hash_of_images(values: Iterable[Any]) -> str:
    """A hash that changes when one of the image files (by size and time) or in-memory images changes."""
    digest = hashlib.sha256()
    for value in values:
        digest.update(image_key(value).encode())
        if isinstance(value, (str, Path)):
            file = Path(str(value).partition(MEMBER)[0])
            if file.exists():
                status = file.stat()
                digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
        digest.update(b"\0")
    return digest.hexdigest()
