"""Rows to try on the page: somebody's own, or freshly generated ones that the bundle was not trained on.

They are read once, at the start; pictures go out as data inside the answer, so no file is opened for a request.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import chiasm.synth
from chiasm.data.example import DataError, Example
from chiasm.data.images import open_image
from chiasm.data.rows import read_rows
from chiasm.data.table_files import read_raw
from chiasm.report.cards import answer_text
from chiasm.report.pictures import data_uri
from chiasm.report.tables import to_plain
from chiasm.training.bundle import Bundle
from chiasm.training.data import BadRowPolicy, read_named
from chiasm.training.fit import trained_columns

COUNT = 12
NEW_SEED = 918_273  # of generated examples: another world than any recipe's
SIZES = ("scenes", "statements")  # the options of a world that say how large its splits are


def examples_of_file(rows: Path, bundle: Bundle, *, count: int = COUNT) -> list[dict[str, Any]]:
    """The first rows of a file, columns as in training where that is known. Raises `DataError`, `BadRows`."""
    columns = trained_columns(bundle.recipe, read_raw(rows).columns)
    return to_try(read_rows(rows, columns).examples, count)


def examples_of_world(bundle: Bundle, *, count: int = COUNT) -> list[dict[str, Any]]:
    """Examples of a small new world of the kind on which the bundle was trained; none when it was not on one.

    Raises `WorldError`.
    """
    world = bundle.recipe.data.world
    if not world or not set(SIZES) & set(world):
        return []
    options = {key: value for key, value in world.items() if key not in ("kind", "seed")}
    for size in set(SIZES) & set(world):
        options |= {size: count, f"val_{size}": count, f"test_{size}": count}
    with tempfile.TemporaryDirectory() as folder:
        made = chiasm.synth.generate(
            str(world["kind"]), Path(folder) / "world", seed=NEW_SEED, workers=1, progress=False, **options
        )
        split = (bundle.recipe.data.test or bundle.recipe.data.validation)[:1]
        found = read_named(bundle.recipe, made, split, BadRowPolicy("stop")) if split else []
        return to_try(one_for_each_image(found), count)


def one_for_each_image(examples: Sequence[Example]) -> list[Example]:
    """One example for each picture (or pair), of another kind of question from one to the next where they differ."""
    by_image: dict[str, list[Example]] = {}
    for example in examples:
        by_image.setdefault(repr(example.values.get("images", example.id)), []).append(example)
    return [group[number % len(group)] for number, group in enumerate(by_image.values())]


def to_try(examples: Sequence[Example], count: int = COUNT) -> list[dict[str, Any]]:
    """Examples as a request holds them, with the right answer in "expected" where it is known.

    Boxes are left out: a person's own picture has none either. Raises `DataError` for a picture that cannot be read.
    """
    return [_to_try(example) for example in examples[:count]]


def _to_try(example: Example) -> dict[str, Any]:
    row: dict[str, Any] = {"id": example.id}
    for role in ("text", "table"):
        if example.values.get(role) is not None:
            row[role] = example.values[role]
    if example.values.get("images"):
        row["images"] = [data_uri(open_image(value)) for value in example.values["images"]]
    if example.values.get("answer") is not None:
        row["expected"] = answer_text(example.values["answer"])
    plain: dict[str, Any] = to_plain(row)
    return plain


def check(examples: Sequence[Mapping[str, Any]], name: str) -> None:
    """Raises `DataError` when there is nothing to try."""
    if not examples:
        raise DataError(f"{name} holds no row that can be shown as an example")
