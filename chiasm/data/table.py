"""Table rows: numeric columns filled and transformed, categories numbered.

    {"Age": 34, "Department": "Dresses"}  ->  numbers [0.11], mask [True], categories [3]

Statistics are learnt from the training rows (`fit_on = "all"`: from every row that is read, as the released
Multimodal-Toolkit does). They are plain numbers and travel in the bundle.

- A missing number (empty, NaN) gets its column's median, and its mask bit is False.
- A missing category is a class of its own when the training rows have one, otherwise it is unknown.
- A category never seen is unknown: class 0, which models see as a vector of zeros.
- A column that a row does not have at all is an error, unless `absent = "missing"`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chiasm.batch import Table
from chiasm.data.columns import Column, Preprocessor
from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.numbers import NumberColumn, transform_named
from chiasm.registry import nearest

MISSING = "-999999"  # the released code's name for a missing category; it decides the order of the classes
UNKNOWN = 0
WHOLE = re.compile(r"[+-]?\d+\.0+")  # a whole number written as a fraction


class TableColumn(Column):
    """All rows: numbers, which of them were there, and categories."""

    def __init__(self, numbers: Tensor, numbers_mask: Tensor, categories: Tensor) -> None:
        self.numbers = numbers  # (n, C) float32
        self.numbers_mask = numbers_mask  # (n, C) bool
        self.categories = categories  # (n, C') int64

    def __len__(self) -> int:
        return self.numbers.shape[0]

    def gather(self, examples: Tensor) -> Table:
        """(B,) -> Table of (B, C) numbers and (B, C') categories."""
        return Table(self.numbers[examples], self.numbers_mask[examples], self.categories[examples])


class Preprocess(Preprocessor):
    """A table row (role `table`: column name -> raw cell) -> numbers and categories.

    `numbers` and `categories` name the columns; when neither is given, columns whose cells are all numbers are
    numbers and the others categories.
    """

    stream: ClassVar[str] = "table"
    role: ClassVar[str] = "table"

    def __init__(
        self,
        *,
        numbers: tuple[str, ...] = (),
        categories: tuple[str, ...] = (),
        transform: str = "quantile_normal",  # or yeo_johnson, box_cox, standard, none
        fit_on: Literal["train", "all"] = "train",
        absent: Literal["refuse", "missing"] = "refuse",  # a column that a row does not have
    ) -> None:
        both = sorted(set(numbers) & set(categories))
        if both:
            raise ValueError(f"a column is either a number or a category, not both: {', '.join(both)}")
        transform_named(transform)
        self.options: dict[str, Any] = {
            "numbers": tuple(numbers),
            "categories": tuple(categories),
            "transform": transform,
            "fit_on": fit_on,
            "absent": absent,
        }
        self.fits_on_all = fit_on == "all"
        self.numbers: list[NumberColumn] = []
        self.classes: dict[str, list[str]] = {}  # category column -> its classes; class k is number k + 1

    @property
    def column_names(self) -> tuple[str, ...]:
        """Numbers, then categories: the order of a `Table`'s columns."""
        return (*(column.name for column in self.numbers), *self.classes)

    @property
    def facts(self) -> Mapping[str, Any]:
        return {
            "num_numbers": len(self.numbers),
            "category_sizes": tuple(len(classes) for classes in self.classes.values()),
        }

    def fit(self, examples: Sequence[Example]) -> Self:
        """Learn medians, transforms and classes. Raises DataError naming the column."""
        names, kinds = self._kinds(examples)
        self._refuse_unknown(names, examples)
        transform = transform_named(self.options["transform"])
        self.numbers = [NumberColumn.fit(n, self._values(n, examples), transform) for n in kinds["numbers"]]
        self.classes = {n: sorted(set(self._labels(n, examples))) for n in kinds["categories"]}
        if not self.numbers and not self.classes:
            raise DataError("the table has no column: name some in numbers or categories, or leave [table] out")
        return self

    def encode(self, examples: Sequence[Example]) -> TableColumn:
        """All rows, in order. Raises RowErrors for cells that are no numbers and columns that are not there."""
        if not self.column_names:
            raise ValueError("the table preprocessor knows no column yet: call fit(training examples) first")
        self._refuse_unknown(self.column_names, examples)
        raw = [self._values(column.name, examples) for column in self.numbers]
        filled = [column(values) for column, values in zip(self.numbers, raw, strict=True)]
        codes = [self._codes(name, examples) for name in self.classes]
        shape = (len(examples), -1)
        return TableColumn(
            torch.from_numpy(np.array(filled, dtype=np.float32).T.reshape(shape if filled else (len(examples), 0))),
            torch.from_numpy(~np.isnan(np.array(raw).T.reshape(shape if raw else (len(examples), 0)))),
            torch.from_numpy(np.array(codes, dtype=np.int64).T.reshape(shape if codes else (len(examples), 0))),
        )

    def save(self, folder: Path) -> None:
        record = {
            "stream": self.stream,
            "options": self.options,
            "numbers": [column.to_json() for column in self.numbers],
            "classes": self.classes,
        }
        (folder / "preprocess.json").write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        record = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        loaded = cls(**record["options"])
        loaded.numbers = [NumberColumn.from_json(column) for column in record["numbers"]]
        loaded.classes = {name: list(classes) for name, classes in record["classes"].items()}
        return loaded

    def _kinds(self, examples: Sequence[Example]) -> tuple[list[str], dict[str, list[str]]]:
        """The columns to be learnt, and which of them are numbers and categories."""
        numbers, categories = list(self.options["numbers"]), list(self.options["categories"])
        if numbers or categories:
            return [*numbers, *categories], {"numbers": numbers, "categories": categories}
        names = list(dict.fromkeys(name for example in examples for name in _row(example)))
        is_number = {n: all(_is_number(_row(e).get(n)) for e in examples) for n in names}
        return names, {
            "numbers": [n for n in names if is_number[n]],
            "categories": [n for n in names if not is_number[n]],
        }

    def _refuse_unknown(self, names: Sequence[str], examples: Sequence[Example]) -> None:
        """Raise for columns that no row, or some row, does not have."""
        if self.options["absent"] == "missing" or not examples:
            return
        there = {name for example in examples for name in _row(example)}
        for name in names:
            if name not in there:
                raise DataError(f"no row has the column {name!r}: {nearest(name, there, what='column')}")
        raise_rows(
            RowError(f"the row has no column {absent[0]!r}", origin=e.origin, row_id=e.id)
            for e in examples
            if (absent := [name for name in names if name not in _row(e)])
        )

    def _values(self, name: str, examples: Sequence[Example]) -> NDArray[np.float64]:
        """(n,) the numbers of a column, NaN where missing. Raises RowErrors naming cells that are no number."""
        values, errors = np.full(len(examples), math.nan), []
        for i, example in enumerate(examples):
            cell: Any = _row(example).get(name)
            if is_missing(cell):
                continue
            try:
                values[i] = float(cell)
            except (TypeError, ValueError, OverflowError):
                values[i] = math.inf
            if not math.isfinite(values[i]):
                reason = f"the column {name!r} holds {cell!r}; a finite number is expected, or nothing"
                errors.append(RowError(reason, origin=example.origin, row_id=example.id))
        raise_rows(errors)
        return values

    def _labels(self, name: str, examples: Sequence[Example]) -> list[str]:
        return [label(_row(example).get(name)) for example in examples]

    def _codes(self, name: str, examples: Sequence[Example]) -> NDArray[np.int64]:
        numbers = {known: i for i, known in enumerate(self.classes[name], start=1)}
        return np.array([numbers.get(text, UNKNOWN) for text in self._labels(name, examples)], dtype=np.int64)


def is_missing(cell: object) -> bool:
    """Whether a cell holds nothing: None, NaN, or a blank text."""
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or (_is_real(cell) and cell != cell)


def label(cell: object) -> str:
    """A category as text. Whole numbers are written alike whether a file gave 2, 2.0 or "2.0"; nothing is `MISSING`."""
    if is_missing(cell):
        return MISSING
    text = str(cell).strip()
    return text.partition(".")[0] if WHOLE.fullmatch(text) else text


def _is_number(cell: object) -> bool:
    """Whether a cell is a number, a text that says one (all cells of a CSV file are texts), or missing."""
    if is_missing(cell) or _is_real(cell):
        return True
    try:
        return isinstance(cell, str) and math.isfinite(float(cell))
    except ValueError:
        return False


def _is_real(cell: object) -> TypeGuard[float]:
    """A number, not a boolean: Python's or numpy's."""
    return isinstance(cell, int | float | np.integer | np.floating) and not isinstance(cell, bool)


def _row(example: Example) -> Mapping[str, Any]:
    """The raw cells of an example's table row. Raises RowError when it has none."""
    row = example.values.get("table")
    if not isinstance(row, Mapping):
        reason = f"there is no table row (column name -> cell), but {type(row).__name__}"
        raise RowError(reason, origin=example.origin, row_id=example.id)
    return row
