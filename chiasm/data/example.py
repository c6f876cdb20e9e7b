"""One row of raw values, and the error that names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


class BadRows(ExceptionGroup[RowError], DataError):
    """Bad rows found in one pass: a `DataError` whose message lists them, and a group of `RowError`s.

    `usable` holds the rows that are left when a reader found them, so that they need not be read again to be used.
    """

    SHOWN = 10
    usable: Sequence[Example] | None

    def __new__(cls, errors: Sequence[RowError], usable: Sequence[Example] | None = None) -> BadRows:
        lines = [str(error) for error in errors[: cls.SHOWN]]
        if len(errors) > cls.SHOWN:
            lines.append(f"... and {len(errors) - cls.SHOWN} more")
        count = "1 bad row" if len(errors) == 1 else f"{len(errors)} bad rows"
        return super().__new__(cls, f"{count}:\n  " + "\n  ".join(lines), errors)

    def __init__(self, errors: Sequence[RowError], usable: Sequence[Example] | None = None) -> None:
        super().__init__(self.message, errors)
        self.usable = usable

    def __str__(self) -> str:
        return self.message

    @property
    def rows(self) -> list[RowError]:
        """The errors, one a bad row."""
        return [error for error in self.exceptions if isinstance(error, RowError)]


def raise_rows(errors: Iterable[RowError], *, usable: Sequence[Example] | None = None) -> None:
    """Raise what was found: nothing for no error, the error itself for one, `BadRows` for several.

    A reader passes the `usable` rows; then one error is `BadRows` too.
    """
    found = list(errors)
    if len(found) == 1 and usable is None:
        raise found[0]
    if found:
        raise BadRows(found, usable)
