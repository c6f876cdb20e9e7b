"""Your own rows: a CSV, JSON lines or Parquet file, or a folder with one file per split.

A file with a `split` column is divided by it. Without one all its rows are "train" (and "all"), unless
`validation_share` and `test_share` divide them; rows about the same image then stay together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from chiasm.data.distinct import image_key
from chiasm.data.example import BadRows, DataError, Example, RowError, raise_rows
from chiasm.data.rows import read_rows
from chiasm.data.sources._files import first_file
from chiasm.data.table_files import ENDINGS

SPLITS: tuple[str, ...] = ("train", "validation", "test", "all")
FILES = """a file of rows (.csv, .tsv, .jsonl, .json, .parquet), or a folder with <split>.csv and so on"""
ALIASES = {"val": "validation", "valid": "validation", "dev": "validation"}


def read(
    folder: Path,
    split: str,
    *,
    columns: Mapping[str, str] | None = None,  # column -> role, as in {"question": "text"}; the others are guessed
    validation_share: float = 0.0,  # of a file without a split column
    test_share: float = 0.0,
) -> list[Example]:
    """The rows of one split. Raises `DataError`; `BadRows` names all bad ones and holds the others as `usable`."""
    file = folder
    if folder.is_dir():
        names = [f"{split}{ending}{gz}" for ending in ENDINGS for gz in ("", ".gz")]
        file = first_file(folder, names, wanted=f"file with the rows of split {split!r}")
    errors: Sequence[RowError] = ()
    try:
        examples = read_rows(file, columns).examples
    except BadRows as error:
        examples, errors = list(error.usable or ()), error.rows
    chosen = examples if folder.is_dir() else _of_split(file, examples, split, validation_share, test_share)
    raise_rows(errors, usable=chosen)
    return chosen


def _of_split(
    file: Path, examples: Sequence[Example], split: str, validation_share: float, test_share: float
) -> list[Example]:
    """The rows of one split of a single file. Raises `DataError` when there are none."""
    if not 0 <= validation_share + test_share < 1 or min(validation_share, test_share) < 0:
        raise DataError(f"validation_share {validation_share} and test_share {test_share} must leave rows to train on")
    given = sorted({_alias(example.info["split"]) for example in examples if "split" in example.info})
    if split == "all":
        return list(examples)
    if given:
        known = given
        chosen = [e for e in examples if _alias(e.info.get("split", "")) == _alias(split)]
    else:
        known = ["train", *(n for n, s in (("validation", validation_share), ("test", test_share)) if s)]
        chosen = [e for e in examples if _drawn(e, validation_share, test_share) == _alias(split)]
    if not chosen:
        advice = "" if given else ". Add a column 'split', or set validation_share or test_share"
        raise DataError(f"{file} has no rows of split {split!r}, but of: {', '.join([*known, 'all'])}{advice}")
    return chosen


def _alias(split: object) -> str:
    name = str(split).strip().lower()
    return ALIASES.get(name, name)


def _drawn(example: Example, validation_share: float, test_share: float) -> str:
    """The split that a row falls into by a hash of its first image, or of its id without one."""
    images = example.values.get("images") or ()
    name = image_key(images[0]) if images else example.id
    place = int(hashlib.sha256(Path(name).name.encode()).hexdigest()[:12], 16) / 16**12  # uniform in [0, 1)
    if place < test_share:
        return "test"
    return "validation" if place < test_share + validation_share else "train"
