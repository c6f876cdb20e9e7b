"""What each column of somebody's rows is: guessed from names and values, shown, overridable.

text       a question, statement, review; several text columns are one text, " [SEP] " between
image      a path (relative to the file), "archive.zip::member", or an image; several columns are several images
boxes      [[x1, y1, x2, y2], ...] in pixels
answer     what is to be learnt
id         the row's name; its number when there is no such column
split      which part the row belongs to: train, validation, test
graph      a scene graph as GQA writes it, or a list of detections; also as JSON text
number     a table column of numbers          category   a table column of words
info       kept beside the row, not used      ignore     left out
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from chiasm.data.distinct import MEMBER
from chiasm.data.example import DataError
from chiasm.data.table_files import RawRows
from chiasm.data.vocabulary import is_missing
from chiasm.registry import nearest

ROLES = ("text", "image", "boxes", "answer", "id", "split", "graph", "number", "category", "info", "ignore")
SINGLE = frozenset({"answer", "id", "split", "graph", "boxes"})  # roles that one column at most has
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
SAMPLE = 500  # rows that are looked at
# Names that tell a role, the better ones first. A column whose name tells nothing is judged by its values.
NAMED = {
    "id": ("id", "uid", "identifier", "question_id", "questionid", "row_id", "pairid", "sample_id"),
    "split": ("split", "fold", "partition", "subset"),
    "answer": ("answer", "answers", "label", "labels", "gold_label", "target", "gold", "class", "y", "output"),
    "boxes": ("boxes", "bboxes", "box", "bbox", "regions"),
    "graph": ("graph", "scene_graph", "scenegraph"),
}
# Names of columns that are text also when few of their cells differ, as when one question is asked of many images.
TEXTS = ("text", "question", "sentence", "statement", "caption", "review", "query", "utterance")


@dataclass(frozen=True)
class ColumnGuess:
    """One column: its role, why, an example of its cells, and the share of missing ones."""

    column: str
    role: str
    reason: str
    sample: str
    missing: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def guess_columns(raw: RawRows) -> list[ColumnGuess]:
    """The role of every column, in order: ready to be shown as a table."""
    sample = raw.rows[:SAMPLE]
    cells = {c: [row.get(c) for row in sample] for c in raw.columns}
    named = _named_roles(cells)
    guesses = []
    for column, values in cells.items():
        there = [v for v in values if not is_missing(v) and not (isinstance(v, str) and v == "")]
        role, reason = named.get(column) or _role_of_values(there, raw.folder, is_text=_plain(column) in TEXTS)
        missing = 1 - len(there) / max(len(values), 1)
        guesses.append(ColumnGuess(column, role, reason, _shown(there[0]) if there else "", missing))
    return guesses


def override(guesses: Sequence[ColumnGuess], columns: Mapping[str, str] | None) -> list[ColumnGuess]:
    """The guesses with what a person says: {"question": "text", "img": "image"}.

    A role that is named is taken from the named columns only; a column that was guessed to have it becomes "info".
    Raises `DataError` for a column that is not there, an unknown role, and two columns for a role that one has.
    """
    given = dict(columns or {})
    known = [guess.column for guess in guesses]
    for column, role in given.items():
        if column not in known:
            raise DataError(f"{nearest(column, known, what='column')} The columns are: {', '.join(known)}")
        if role not in ROLES:
            raise DataError(f"column {column!r}: {nearest(role, ROLES, what='role')}")
    decided = [_decided(guess, given) for guess in guesses]
    for role in SINGLE:
        several = [guess.column for guess in decided if guess.role == role]
        if len(several) > 1:
            raise DataError(f"the columns {', '.join(several)} are all called {role!r}: say which one is")
    return decided


def _decided(guess: ColumnGuess, given: Mapping[str, str]) -> ColumnGuess:
    if guess.column in given:
        return ColumnGuess(guess.column, given[guess.column], "as you say", guess.sample, guess.missing)
    if guess.role in given.values() and guess.role not in ("number", "category", "info", "ignore"):
        taken = next(column for column, role in given.items() if role == guess.role)
        return ColumnGuess(guess.column, "info", f"{guess.role} is {taken!r}", guess.sample, guess.missing)
    return guess


def _named_roles(cells: Mapping[str, Sequence[Any]]) -> dict[str, tuple[str, str]]:
    """Column -> (role, reason) where the name tells it, one column a role; the values must not speak against it."""
    found: dict[str, tuple[str, str]] = {}
    for role, names in NAMED.items():
        for name in names:
            column = next((c for c in cells if _plain(c) == name and c not in found), None)
            if column is not None and _possible(role, cells[column]):
                found[column] = (role, "by its name")
                break
    return found


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", column.strip().lower()).strip("_")


def _possible(role: str, values: Sequence[Any]) -> bool:
    if role == "id":
        there = [str(v) for v in values if not is_missing(v)]
        return len(set(there)) == len(values)
    if role == "boxes":
        return any(_is_boxes(v) for v in values if not is_missing(v))
    if role == "graph":
        return any(_is_graph(v) for v in values if not is_missing(v))
    return True


def _is_boxes(value: Any) -> bool:
    value = _read(value)
    return isinstance(value, (list, tuple)) and all(isinstance(box, (list, tuple)) for box in value)


def _is_graph(value: Any) -> bool:
    """An object, or a list of them: what is wrong inside is told when the graph is read."""
    value = _read(value)
    if isinstance(value, (list, tuple)):
        return all(isinstance(thing, Mapping) for thing in value)
    return isinstance(value, Mapping)


def _read(value: Any) -> Any:
    """What the text of a JSON list or object says; other values, and text that is none, as they are."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return plain(value)
    try:
        return json.loads(value)
    except (ValueError, RecursionError):  # of a number with too many digits, or too deep
        return value


def plain(value: Any) -> Any:
    """A value with lists in place of arrays, as which pandas keeps lists."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def _role_of_values(values: Sequence[Any], folder: Path | None, *, is_text: bool) -> tuple[str, str]:
    """(role, reason) from the cells that are there."""
    if not values:
        return "ignore", "all cells are empty"
    if all(looks_like_image(v) for v in values[:20]):
        return "image", "its cells are images" if not isinstance(values[0], str) else "its cells are names of pictures"
    if folder and all(isinstance(v, str) and _is_file(folder, v) for v in values[:20]):
        return "image", "its cells are names of files that are there"
    if all(_is_number(v) for v in values):
        return "number", "its cells are numbers"
    if not all(isinstance(v, str) for v in values):
        return "info", f"its cells are of type {type(values[0]).__name__}"
    words = sum(len(v.split()) for v in values) / len(values)
    distinct = len(set(values))
    if (words > 1 and is_text) or (words >= 3 and (distinct > 20 or distinct > len(values) / 2)):
        return "text", f"{words:.0f} words a cell"
    if distinct <= max(2, len(values) / 2):
        return "category", f"{distinct} different words"
    if words >= 2:
        return "text", f"{words:.0f} words a cell"
    return "info", "neither numbers, few words, text nor pictures"


def looks_like_image(value: Any) -> bool:
    """Whether a cell is an image, or by its ending the name of one."""
    if isinstance(value, (bytes, Image.Image)) or (isinstance(value, np.ndarray) and value.ndim in (2, 3)):
        return True
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {"bytes", "path"} <= value.keys()  # how Hugging Face data sets keep an image that is not decoded
    if isinstance(value, (list, tuple)):
        return bool(value) and all(looks_like_image(v) for v in value)
    if not isinstance(value, str):
        return False
    return value.lower().endswith(IMAGE_ENDINGS) or (MEMBER in value and ".zip" in value)


def _is_file(folder: Path, name: str) -> bool:
    """Whether `name` is a file in the folder; a text too long to be a name, or not a name at all, is none."""
    try:
        return bool(name) and (folder / name).is_file()
    except (OSError, ValueError):
        return False


def _is_number(value: Any) -> bool:
    if isinstance(value, (bool, np.ndarray)):
        return False
    try:
        float(value)
    except OverflowError:
        return True  # one too large to be used, which is told with its row
    except (TypeError, ValueError):
        return False
    return True


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode()  # half of a character cannot be shown
    return text if len(text) <= 40 else f"{text[:37]}..."
