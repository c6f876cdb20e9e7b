"""What came over HTTP, as an `Example`: pictures are decoded from the request's own bytes, never from a path."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from PIL import Image, UnidentifiedImageError

from chiasm.data.example import DataError, Example, RowError
from chiasm.data.images import open_image
from chiasm.serve.incoming import example_of
from chiasm.serve.limits import Limits, Refused

# Pillow reads many more; some of those run other programs (EPS) or are large and rarely looked at.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
NOT_BASE64 = "is not base64 of a picture file (paths and addresses are not read)"


class ReceivedRow(Protocol):
    """The fields of a row as it came; `chiasm.serve.schemas.Row` is one."""

    id: str
    text: str | None
    image: str | None
    images: list[str] | None
    boxes: Any
    table: dict[str, Any] | None
    graph: dict[str, Any] | list[dict[str, Any]] | None
    dialogue: list[dict[str, Any]] | None
    position: int | None


def received(row: ReceivedRow, limits: Limits, take_pixels: Callable[[int], None]) -> Example | RowError:
    """The row with its pictures decoded, or what is wrong with it.

    `take_pixels` is told each picture's size before it is decoded, and may raise `Refused`.
    """
    try:
        if row.image is not None and row.images is not None:
            raise DataError("both `image` and `images` are given: give one of them")
        given = [row.image] if row.image is not None else row.images or []
        _check_sizes(row, given, limits)
        pictures = [picture(data, f"image {i}", limits, take_pixels) for i, data in enumerate(given, start=1)]
        form = {} if not pictures else {"image": pictures[0]} if row.image is not None else {"images": pictures}
        others = {name: getattr(row, name) for name in ("boxes", "text", "table", "graph", "dialogue", "position")}
        return example_of(id=row.id, **form, **others)
    except (DataError, TypeError) as error:
        reason = error.reason if isinstance(error, RowError) else str(error)
        return RowError(reason, row_id=row.id)


def picture(data: str, name: str, limits: Limits, take_pixels: Callable[[int], None]) -> Image.Image:
    """The picture upright, as RGB. Raises `DataError` naming it `name`, and what `take_pixels` raises."""
    content = _decoded(data, name)
    try:
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise DataError(f"{name} is no picture that can be read: {', '.join(FORMATS)} are") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"{name} has too many pixels: {limits.pixels:,} are allowed; make it smaller") from None
    except (OSError, SyntaxError, ValueError, OverflowError) as error:
        raise DataError(f"{name} is damaged ({error}): copy or save it again") from error
    pixels = opened.width * opened.height
    if pixels > limits.pixels:
        raise DataError(
            f"{name} has {opened.width} x {opened.height} pixels; {limits.pixels:,} are allowed: make it smaller"
        )
    take_pixels(pixels)
    try:
        return open_image(opened)
    except DataError as error:
        raise DataError(str(error).replace("image given as " + type(opened).__name__, name)) from error


def _check_sizes(row: ReceivedRow, given: Sequence[str], limits: Limits) -> None:
    if row.text is not None and len(row.text) > limits.text:
        raise DataError(f"the text has {len(row.text):,} characters; {limits.text:,} are allowed")
    if len(given) > limits.images:
        raise DataError(f"{len(given)} images; {limits.images} are allowed in one row")
    lists = [row.boxes] if row.image is not None else row.boxes or []
    most = max((len(boxes) for boxes in lists if boxes), default=0)
    if most > limits.boxes:
        raise DataError(f"{most} boxes in one picture; {limits.boxes} are allowed")
    things = row.graph.get("objects") if isinstance(row.graph, dict) else row.graph
    # Relations are made of pairs of boxes: their number grows with the square of this one.
    if isinstance(things, dict | list) and len(things) > limits.boxes:
        raise DataError(f"{len(things)} things in the scene graph; {limits.boxes} are allowed")


def _decoded(data: str, name: str) -> bytes:
    """The bytes in base64, with or without "data:image/png;base64," before it. Raises `DataError`."""
    head, comma, rest = data.partition(",")
    if comma and not (head.startswith("data:") and head.endswith(";base64")):
        raise DataError(f"{name} {NOT_BASE64}")
    try:
        content = base64.b64decode("".join((rest if comma else head).split()), validate=True)
    except (binascii.Error, ValueError):
        raise DataError(f"{name} {NOT_BASE64}") from None
    if not content:
        raise DataError(f"{name} is empty")
    return content


def usable(rows: Sequence[Example | RowError]) -> Example:
    """The only row. Raises `Refused` (422) when it is an error."""
    (row,) = rows
    if isinstance(row, RowError):
        raise Refused(422, row.reason)
    return row
