"""Somebody's rows -> examples, by a column map.

    rows = read_rows("questions.csv", {"frage": "text", "bild": "image"})
    rows.examples, rows.columns, rows.errors

A bad row is named with its file and line and why; all bad rows are found in one pass.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chiasm.data.column_map import ColumnGuess, guess_columns, override, plain
from chiasm.data.distinct import MEMBER
from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.table_files import RawRows, read_raw
from chiasm.data.text import SEPARATOR, bad_text, is_empty
from chiasm.data.vocabulary import half_character, is_missing

LARGEST = int(sys.float_info.max)  # JSON knows no limit


@dataclass(frozen=True)
class Rows:
    """Examples, the column map they were made by, and the bad rows that were left out."""

    examples: list[Example]
    columns: list[ColumnGuess]
    errors: list[RowError]


def read_rows(
    data: Any,
    columns: Mapping[str, str] | None = None,
    *,
    folder: Path | str | None = None,
    on_error: str = "stop",
    need: Sequence[str] = (),
) -> Rows:
    """Examples from a file (CSV, JSON lines, Parquet), a DataFrame, a Hugging Face data set or a list of mappings.

    `columns` says what columns are, the others are guessed (see `column_map`). Relative image paths start at `folder`,
    by default the file's. With `on_error="stop"` bad rows are raised together (`BadRows`, whose `usable` holds the
    others), with "skip" they are left out and returned. Raises `DataError` when a role of `need` has no column.
    """
    if on_error not in ("stop", "skip"):
        raise ValueError(f"on_error is {on_error!r}; 'stop' or 'skip' is expected")
    raw = read_raw(data)
    decided = override(guess_columns(raw), columns)
    for role in need:
        if all(guess.role != role for guess in decided):
            names = ", ".join(f"{guess.column} ({guess.role})" for guess in decided)
            raise DataError(f"{raw.name}: no column is the {role}. The columns are: {names}. Say which one it is")
    maker = _Maker(decided, Path(folder) if folder is not None else raw.folder or Path())
    errors = list(raw.errors)
    examples = []
    for number, (row, origin) in enumerate(zip(raw.rows, raw.origins, strict=True)):
        try:
            examples.append(maker.example(row, number, origin))
        except RowError as error:
            errors.append(error)
    if on_error == "stop":
        raise_rows(errors, usable=examples)
    if not examples:
        raise DataError(f"{raw.name}: no row can be used; the first bad one: {errors[0]}")
    return Rows(examples, decided, errors)


@dataclass
class _Maker:
    """Makes examples of rows by a decided column map, and remembers the ids."""

    columns: Sequence[ColumnGuess]
    folder: Path
    ids: dict[str, str] = field(default_factory=dict)  # id -> origin
    members: dict[str, frozenset[str]] = field(default_factory=dict)  # zip archive -> names in it

    def example(self, row: Mapping[str, Any], number: int, origin: str) -> Example:
        """Raises `RowError` when a cell cannot be used."""
        row_id = self._id(row, number, origin)

        def cells(role: str) -> dict[str, Any]:
            return {g.column: row.get(g.column) for g in self.columns if g.role == role}

        readers: Mapping[str, Callable[[Any], Any]] = {
            "text": self._text, "image": self._images, "answer": self._answer, "boxes": self._boxes, "graph": _only
        }  # fmt: skip
        values: dict[str, Any] = {}
        table = {**cells("number"), **cells("category")}
        try:
            for role, read in readers.items():
                if given := cells(role):
                    values["images" if role == "image" else role] = read(given)
            if table:
                values["table"] = {column: _table_cell(column, cell) for column, cell in table.items()}
        except DataError as error:
            raise RowError(str(error), origin=origin, row_id=row_id) from None
        if values.get("boxes") is not None and len(values.get("images", ())) == 1:
            values["boxes"] = (values["boxes"],)
        info = {**cells("info"), **({"split": _only(split)} if (split := cells("split")) else {})}
        return Example(row_id, values, info, origin)

    def _id(self, row: Mapping[str, Any], number: int, origin: str) -> str:
        column = next((g.column for g in self.columns if g.role == "id"), None)
        if column is None:
            return str(number)
        if is_missing(row.get(column)):
            raise RowError(f"the id (column {column!r}) is missing", origin=origin)
        row_id = str(row[column])
        if row_id in self.ids:
            raise RowError(f"the id was given already, in {self.ids[row_id]}", origin=origin, row_id=row_id)
        self.ids[row_id] = origin
        return row_id

    def _text(self, cells: Mapping[str, Any]) -> str:
        """The texts that are there, with `SEPARATOR` between them; "" only where a table row can stand for them."""
        there = {column: cell for column, cell in cells.items() if not is_empty(cell)}
        may_be_empty = bool(there) or any(guess.role in ("number", "category") for guess in self.columns)
        for column, cell in (there if may_be_empty else cells).items():
            if reason := bad_text(cell):
                raise DataError(f"column {column!r}: {reason}")
        return f" {SEPARATOR} ".join(cell.strip() for cell in there.values())

    def _answer(self, cells: Mapping[str, Any]) -> Any:
        """The answer; None when the cell is empty or NaN, which means that it is not known."""
        ((column, cell),) = cells.items()
        cell = plain(cell.item() if isinstance(cell, np.generic) else cell)
        if is_missing(cell) or (isinstance(cell, str) and not cell.strip()):
            return None
        for text in cell if isinstance(cell, (list, tuple, Mapping)) else [cell]:
            if isinstance(text, str) and (reason := half_character(text)):
                raise DataError(f"column {column!r}: {reason}")
        return cell.strip() if isinstance(cell, str) else cell

    def _boxes(self, cells: Mapping[str, Any]) -> Any:
        ((column, cell),) = cells.items()
        if is_missing(cell):
            return None
        if isinstance(cell, str):
            try:
                cell = json.loads(cell)
            except (ValueError, RecursionError):  # also of a number with too many digits
                raise DataError(f"column {column!r}: {cell:.40} is no list of boxes [[x1, y1, x2, y2], ...]") from None
        return plain(cell)

    def _images(self, cells: Mapping[str, Any]) -> tuple[Any, ...]:
        found: list[Any] = []
        for column, cell in cells.items():
            if isinstance(cell, np.ndarray) and cell.ndim == 1:  # as which pandas keeps a list
                cell = cell.tolist()
            for value in cell if isinstance(cell, (list, tuple)) else [cell]:
                if is_missing(value) or (isinstance(value, str) and not value):
                    raise DataError(f"column {column!r}: the image is missing")
                found.append(self._image(value))
        return tuple(found)

    def _image(self, value: Any) -> Any:
        """A path as it can be opened from here, after a look whether the file is there; other images as they are."""
        if isinstance(value, Mapping):
            value = value.get("bytes") or value.get("path")
        if not isinstance(value, (str, Path)):
            return value
        if str(value).startswith(("http://", "https://")):
            raise DataError(f"image {str(value)!r} is on the web: download it first")
        archive, _, member = str(value).partition(MEMBER)
        path = self.folder / archive
        try:
            is_there = path.is_file()
        except (OSError, ValueError) as error:
            raise DataError(f"image {str(value)[:40]!r} has no name that a file can have ({error!s:.60})") from None
        if not is_there:
            raise DataError(f"image {str(value)!r} is not there (looked for {path})")
        if member and member not in self._names(path):
            raise DataError(f"image {member!r} is not in {path}")
        return f"{path}{MEMBER}{member}" if member else str(path)

    def _names(self, archive: Path) -> frozenset[str]:
        if str(archive) not in self.members:
            try:
                with zipfile.ZipFile(archive) as opened:
                    self.members[str(archive)] = frozenset(opened.namelist())
            except (zipfile.BadZipFile, OSError) as error:
                raise DataError(f"{archive} is no zip archive that can be read ({error})") from None
        return self.members[str(archive)]


def _only(cells: Mapping[str, Any]) -> Any:
    (cell,) = cells.values()
    return plain(cell)


def _table_cell(column: str, cell: Any) -> Any:
    """A cell of the table; None when it is missing."""
    if is_missing(cell):
        return None
    if isinstance(cell, str) and (reason := half_character(cell)):
        raise DataError(f"column {column!r}: {reason}")
    if isinstance(cell, int) and abs(cell) > LARGEST:
        raise DataError(f"column {column!r}: the number is too large to be used")
    return cell


def guess(data: Any) -> tuple[RawRows, list[ColumnGuess]]:
    """The raw rows and the guessed role of each column, to be shown before anything is read in earnest."""
    raw = read_raw(data)
    return raw, guess_columns(raw)
