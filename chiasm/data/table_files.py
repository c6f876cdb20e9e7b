"""Rows of named columns from files and objects: CSV, JSON lines, Parquet, DataFrames, Hugging Face data sets, lists.

Every row keeps its origin ("file.csv, line 12"). A line that cannot be read is kept as an error and the rest is read.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from chiasm.data.example import DataError, RowError

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class RawRows:
    """Rows as they were read: cells by column name, the origin of each row, and lines that are no rows."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    origins: tuple[str, ...]
    errors: tuple[RowError, ...] = ()
    folder: Path | None = None  # what relative paths in the cells are relative to


def read_raw(data: Any) -> RawRows:
    """Rows from a path (.csv, .tsv, .jsonl, .json, .parquet; each also .gz), a pandas DataFrame, a Hugging Face
    data set, or a sequence of mappings. Raises `DataError` for a file that is missing, empty, or of another kind.
    """
    if isinstance(data, (str, Path)):
        return _read_file(Path(data))
    if hasattr(data, "to_dict") and hasattr(data, "columns"):  # a DataFrame, of whichever library version
        names = [str(name) for name in data.columns]
        _told_apart(names, "the DataFrame")  # before pandas leaves one of two out
        rows = data.to_dict("records")
        origins = [f"row {index}" for index in data.index]
        return _checked("the DataFrame", names, [{str(k): v for k, v in row.items()} for row in rows], origins)
    if hasattr(data, "column_names") and hasattr(data, "__getitem__"):
        if isinstance(data.column_names, Mapping):
            raise DataError(f"the data set has the splits {', '.join(data.column_names)}: choose one of them")
        return _checked("the data set", data.column_names, list(data), [f"row {i}" for i in range(len(data))])
    if isinstance(data, Sequence):
        columns = dict.fromkeys(key for row in data if isinstance(row, Mapping) for key in row)
        bad = [i for i, row in enumerate(data) if not isinstance(row, Mapping)]
        if bad:
            raise DataError(f"row {bad[0]} is {data[bad[0]]!r:.60}; a mapping of column names to values is expected")
        return _checked("the rows", list(columns), list(data), [f"row {i}" for i in range(len(data))])
    raise DataError(f"{type(data).__name__} holds no rows: give a file, a DataFrame, a data set or a list of mappings")


def _checked(
    name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], origins: Sequence[str], **more: Any
) -> RawRows:
    if not rows:
        errors = more.get("errors")
        raise DataError(f"{name} holds no row that can be read: {errors[0]}" if errors else f"{name} holds no row")
    return RawRows(name, tuple(columns), tuple(rows), tuple(origins), **more)


def _told_apart(columns: Sequence[str], name: str) -> None:
    if len(set(columns)) != len(columns):
        twice = next(column for column in columns if columns.count(column) > 1)
        raise DataError(f"{name}: the column {twice!r} is there twice: rename or remove one of them")


def _read_file(file: Path) -> RawRows:
    ending = (file.with_suffix("") if _is_packed(file) else file).suffix.lower()
    if not file.is_file():
        raise DataError(f"{file} is not there" if not file.is_dir() else f"{file} is a folder; a file is expected")
    if ending not in ENDINGS:
        raise DataError(f"{file}: rows are read from {', '.join(ENDINGS)} files")
    if ending == ".parquet":
        return _parquet(file)
    csv.field_size_limit(1 << 28)
    try:
        with _open(file) as text:
            if ending in (".csv", ".tsv"):
                return _csv(file, text, "\t" if ending == ".tsv" else _delimiter(file, text))
            return _json_rows(file, _json_values(file, text.read(), is_whole=ending == ".json"))
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from error
    except (OSError, EOFError, csv.Error) as error:
        raise DataError(f"{file} cannot be read ({error})") from error


def _is_packed(file: Path) -> bool:
    return file.suffix.lower() == ".gz"


def _open(file: Path) -> TextIO:
    if _is_packed(file):
        return io.TextIOWrapper(gzip.open(file), encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _delimiter(file: Path, text: TextIO) -> str:
    """The one of comma, semicolon and tab that gives most names on top; what stands in quotes divides nothing."""
    found: dict[str, int] = {}
    for delimiter in DELIMITERS:
        text.seek(0)
        try:
            found[delimiter] = len(next(filter(None, csv.reader(text, delimiter=delimiter, strict=True)), []))
        except csv.Error:
            continue  # quoted names are not closed before this one
    text.seek(0)
    if not found:
        raise DataError(f"{file}, line 1: a quote in the names of the columns is never closed, or text follows it")
    return max(found, key=found.__getitem__)


def _csv(file: Path, text: TextIO, delimiter: str) -> RawRows:
    """Cells stay strings; an empty cell is None."""
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    lines = _records(file, reader)
    _, columns = next(lines, (1, []))
    if isinstance(columns, csv.Error):
        raise DataError(f"{file}, line 1: the names of the columns cannot be read ({columns})")
    if not any(columns):
        raise DataError(f"{file} is empty: a first line with the names of the columns is expected")
    _told_apart(columns, str(file))
    rows, origins, errors = [], [], []
    for line, cells in lines:
        origin = f"{file.name}, line {line}"
        if isinstance(cells, csv.Error):
            upto = f" (its quotes hold all to line {reader.line_num})" if reader.line_num > line else ""
            errors.append(RowError(f"{cells}{upto}: write a quote inside a cell twice", origin=origin))
        elif len(cells) != len(columns):
            errors.append(RowError(f"{len(cells)} cells for {len(columns)} columns", origin=origin))
        else:
            rows.append({name: cell if cell != "" else None for name, cell in zip(columns, cells, strict=True)})
            origins.append(origin)
    return _checked(str(file), columns, rows, origins, errors=tuple(errors), folder=file.parent)


def _records(file: Path, reader: Any) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """(first line, cells, or why they cannot be read) of each row that is not blank; a quoted cell may span lines.

    Raises `DataError` when the file ends inside quotes: a stray one has then swallowed all rows after it.
    """
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise DataError(
                    f"{file}, line {line}: a quote is opened in this row and never closed, so that the rest of the "
                    "file cannot be read: close it, or write a quote inside a cell twice"
                ) from error
            cells = error
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _json_rows(file: Path, values: Iterator[tuple[str, Any]]) -> RawRows:
    """Rows of JSON objects."""
    rows, origins, errors = [], [], []
    for where, value in values:
        if isinstance(value, dict):
            rows.append(value)
            origins.append(f"{file.name}, {where}")
        else:
            reason = str(value) if isinstance(value, DataError) else f"{value!r:.60} is no object"
            errors.append(RowError(reason, origin=f"{file.name}, {where}"))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return _checked(str(file), columns, rows, origins, errors=tuple(errors), folder=file.parent)


def _json_values(file: Path, content: str, *, is_whole: bool) -> Iterator[tuple[str, Any]]:
    """(where, value) of a list of objects, of an object of objects (its keys are ids), or of JSON lines.

    A value is a `DataError` where there is none. `is_whole`: the file's name says that it is one value.
    """
    lines = content.split("\n")
    if is_whole or content.lstrip().startswith("["):
        whole = _parsed(content)
        if isinstance(whole, list):
            yield from ((f"entry {i}", value) for i, value in enumerate(whole))
            return
        if isinstance(whole, dict) and _is_keyed(whole):
            named = ({"id": key, **row} if isinstance(row, dict) else row for key, row in whole.items())
            yield from ((f"entry {i}", value) for i, value in enumerate(named))
            return
        if content.lstrip().startswith("[") or isinstance(_parsed(lines[0]), DataError):  # not JSON lines either
            if isinstance(whole, DataError):
                raise DataError(f"{file} is {whole}") from whole
            whole = list(whole.values()) if isinstance(whole, dict) else [whole]
            yield from ((f"entry {i}", value) for i, value in enumerate(whole))
            return
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"line {number}", _parsed(line)


def _is_keyed(content: dict[str, Any]) -> bool:
    """Whether an object holds rows by their ids, most of them objects, and is not itself a row."""
    return sum(isinstance(value, dict) for value in content.values()) * 2 > len(content)


def _parsed(text: str) -> Any:
    """What JSON says, or a `DataError`: also for what Python does not take."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        return DataError(f"no valid JSON ({error.msg} at {where})")
    except ValueError:
        return DataError("no valid JSON (a number of more digits than Python reads)")
    except RecursionError:
        return DataError("no valid JSON (lists or objects inside each other, too deep to be read)")


def _parquet(file: Path) -> RawRows:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file} is no Parquet file ({error})") from error
    _told_apart(table.column_names, str(file))
    rows = table.to_pylist()
    origins = [f"{file.name}, row {i}" for i in range(len(rows))]
    return _checked(str(file), table.column_names, rows, origins, folder=file.parent)
