"""What a person gives to be answered, as `Example`s: single values, mappings, files, tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from chiasm.data.example import Example, RowError
from chiasm.data.rows import read_rows

OnError = Literal["stop", "skip"]
Row = Example | RowError | Mapping[str, Any]


def example_of(
    *,
    image: Any = None,
    images: Sequence[Any] | None = None,
    boxes: Sequence[Any] | None = None,
    **roles: Any,
) -> Example:
    """One row of raw values as an `Example`; "id" and "origin" name it in errors. Raises `RowError`.

    `image` and its `boxes` (one list) are the short form of `images` and their `boxes` (a list for each).
    """
    name, origin = str(roles.pop("id", "1")), str(roles.pop("origin", ""))
    if image is not None and images is not None:
        raise RowError("both `image` and `images` are given: give one of them", origin=origin, row_id=name)
    values = {role: value for role, value in roles.items() if value is not None}
    if image is not None:
        values["images"] = (image,)
    elif images is not None:
        values["images"] = tuple(images)
    if boxes is not None:
        values["boxes"] = (boxes,) if image is not None else tuple(boxes) if isinstance(boxes, Iterable) else boxes
    return Example(name, values, origin=origin)


def incoming(
    rows: Any, columns: Mapping[str, str] | None = None, *, on_error: OnError = "stop", need: Sequence[str] = ()
) -> Iterator[Example | RowError]:
    """The rows in order, each as an example or as the error that says why it is none.

    A file (CSV, JSON lines, Parquet), a DataFrame and a Hugging Face data set are read by a column map, guessed
    where `columns` does not say it (`chiasm.data.rows`); mappings with the roles' names are taken as they are.
    """
    if columns is None and not is_table(rows):
        return (_row(row, number) for number, row in enumerate(rows, 1))
    read = read_rows(rows, columns, on_error=on_error, need=need)
    return iter(in_order(read.examples, read.errors))


def in_order(examples: Iterable[Example], errors: Iterable[RowError]) -> list[Example | RowError]:
    """Examples and errors by the line or row number that ends their origin; what has none comes last."""

    def place(row: Example | RowError) -> float:
        number = re.search(r"(\d+)$", row.origin)
        return float(number.group(1)) if number else float("inf")

    return sorted([*examples, *errors], key=place)


def is_table(rows: Any) -> bool:
    """A path, a DataFrame or a Hugging Face data set, told without importing their libraries."""
    return isinstance(rows, str | Path) or hasattr(rows, "columns") or hasattr(rows, "column_names")


def _row(row: Row, number: int) -> Example | RowError:
    if isinstance(row, Example | RowError):
        return row
    if not isinstance(row, Mapping):
        raise TypeError(
            f"row {number} is a {type(row).__name__}; a mapping such as {{'image': ..., 'text': ...}} is meant"
        )
    try:
        return example_of(**{**row, "id": row.get("id", number)})
    except RowError as error:
        return error
