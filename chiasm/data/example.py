"""One row of raw values, and the error that names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Example:
    """One row: raw values keyed by role, before any tensor exists.

    Roles that have a fixed meaning everywhere:

    - `text`    str: question, statement, sentence
    - `images`  tuple of image values (a path, "archive.zip::member.png", bytes, or a PIL image); one or several
    - `boxes`   tuple, one per image: a list of [x1, y1, x2, y2] in pixels, or None
    - `answer`  what the task learns: a str, a bool, a float, a list of annotators' answers, or None when unknown
    - `graph`   a scene graph as GQA writes it
    """

    id: str
    values: Mapping[str, Any]
    info: Mapping[str, Any] = field(default_factory=dict)  # what metrics need: question type, group, entailed ids
    origin: str = ""  # "file.csv, line 12": shown in errors


class DataError(Exception):
    """Data that cannot be used. The message says which file and row, what was found, and what to do."""


class RowError(DataError):
    """One bad row. Readers collect these; `--on-error skip` leaves the row out, otherwise they end the reading."""

    def __init__(self, reason: str, *, origin: str = "", row_id: str = "") -> None:
        where = ", ".join(part for part in (origin, f"row {row_id}" if row_id else "") if part)
        super().__init__(f"{where}: {reason}" if where else reason)
        self.reason, self.origin, self.row_id = reason, origin, row_id
