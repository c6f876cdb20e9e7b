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
        rows = data.to_dict("records")
        names = [str(name) for name in data.columns]
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


def _read_file(file: Path) -> RawRows:
    ending = file.with_suffix("").suffix if file.suffix == ".gz" else file.suffix
    if not file.is_file():
        raise DataError(f"{file} is not there" if not file.is_dir() else f"{file} is a folder; a file is expected")
    if ending not in ENDINGS:
        raise DataError(f"{file}: rows are read from {', '.join(ENDINGS)} files")
    if ending == ".parquet":
        return _parquet(file)
    try:
        with _open(file) as text:
            return _json_lines(file, text) if "js" in ending else _csv(file, text, tabs=ending == ".tsv")
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from error
    except (OSError, EOFError, csv.Error) as error:
        raise DataError(f"{file} cannot be read ({error})") from error


def _open(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(file), encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _csv(file: Path, text: TextIO, *, tabs: bool) -> RawRows:
    """Cells stay strings; an empty cell is None. The delimiter is the commonest of comma, semicolon, tab on top."""
    header = text.readline()
    delimiter = "\t" if tabs else max(DELIMITERS, key=header.count)
    csv.field_size_limit(1 << 28)
    columns = next(csv.reader([header], delimiter=delimiter), [])
    if not any(columns):
        raise DataError(f"{file} is empty: a first line with the names of the columns is expected")
    if len(set(columns)) != len(columns):
        raise DataError(f"{file}: the column {next(c for c in columns if columns.count(c) > 1)!r} is there twice")
    reader = csv.reader(text, delimiter=delimiter)
    rows, origins, errors, line = [], [], [], 1
    for cells in reader:
        origin = f"{file.name}, line {line + 1}"  # where the row begins: a quoted cell may span lines
        line = 1 + reader.line_num
        if not cells:
            continue
        if len(cells) != len(columns):
            errors.append(RowError(f"{len(cells)} cells for {len(columns)} columns", origin=origin))
            continue
        rows.append({name: cell if cell != "" else None for name, cell in zip(columns, cells, strict=True)})
        origins.append(origin)
    return _checked(str(file), columns, rows, origins, errors=tuple(errors), folder=file.parent)


def _json_lines(file: Path, text: TextIO) -> RawRows:
    """Rows of JSON objects."""
    rows, origins, errors = [], [], []
    for where, value in _json_values(file, text):
        if isinstance(value, dict):
            rows.append(value)
            origins.append(f"{file.name}, {where}")
        else:
            reason = value if isinstance(value, str) else f"{value!r:.60} is no object"
            errors.append(RowError(reason, origin=f"{file.name}, {where}"))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return _checked(str(file), columns, rows, origins, errors=tuple(errors), folder=file.parent)


def _json_values(file: Path, text: TextIO) -> Iterator[tuple[str, Any]]:
    """(where, value) of a list of objects, of an object of objects (its keys are ids), or of JSON lines."""
    content = text.read()
    lines = content.split("\n")
    one_value = file.name.endswith((".json", ".json.gz")) and not _is_json(lines[0])
    if one_value or content.lstrip().startswith("["):
        try:
            whole = json.loads(content)
        except json.JSONDecodeError as error:
            raise DataError(f"{file} is no valid JSON ({error})") from error
        if isinstance(whole, dict):
            whole = [{"id": key, **row} if isinstance(row, dict) else row for key, row in whole.items()]
        yield from ((f"entry {i}", value) for i, value in enumerate(whole if isinstance(whole, list) else [whole]))
        return
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except json.JSONDecodeError as error:
                yield f"line {number}", f"no valid JSON ({error.msg} at column {error.colno})"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def _parquet(file: Path) -> RawRows:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file} is no Parquet file ({error})") from error
    rows = table.to_pylist()
    origins = [f"{file.name}, row {i}" for i in range(len(rows))]
    return _checked(str(file), table.column_names, rows, origins, folder=file.parent)
