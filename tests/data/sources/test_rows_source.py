"""Somebody's rows as a source."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from chiasm.data.example import BadRows, DataError
from chiasm.data.sources import source

from ..tables import BAD, ROWS, write


def test_rows_are_a_source_divided_by_their_split_column(folder: Path) -> None:
    file = write(folder, "csv", [{**row, "split": s} for row, s in zip(ROWS, ["train", "val", "train"], strict=True)])
    read = source("rows").read
    assert [e.id for e in read(file, "train")] == ["0", "2"]
    assert [e.id for e in read(file, "validation")] == ["1"]
    assert len(read(file, "all")) == 3
    with pytest.raises(DataError, match=r"no rows of split 'test', but of: train, validation, all"):
        read(file, "test")


def test_rows_without_a_split_column_are_all_train_unless_shares_are_given(folder: Path) -> None:
    names = [f"{i}.png" for i in range(40)]
    for name in names:
        Image.new("RGB", (1, 1)).save(folder / name)
    file = write(folder, "csv", [{"image": name, "text": f"question {k} about it"} for name in names for k in range(3)])
    read = source("rows").read
    assert len(read(file, "train")) == 120
    with pytest.raises(DataError, match="set validation_share"):
        read(file, "test")
    shares = {"validation_share": 0.2, "test_share": 0.2}
    parts = [{e.values["images"] for e in read(file, s, **shares)} for s in ("train", "validation", "test")]
    assert sum(map(len, parts)) == 40  # no image in two parts
    assert all(len(part) >= 3 for part in parts)


def test_a_folder_with_a_file_per_split_is_a_source(folder: Path) -> None:
    write(folder, "csv").rename(folder / "train.csv")
    write(folder, "jsonl", ROWS[:1]).rename(folder / "test.jsonl")
    read = source("rows").read
    assert (len(read(folder, "train")), len(read(folder, "test"))) == (3, 1)
    with pytest.raises(DataError, match="found no file with the rows of split 'dev'"):
        read(folder, "dev")


def test_a_source_gives_bad_rows_with_the_usable_ones(folder: Path) -> None:
    file = write(folder, "csv", BAD)
    with pytest.raises(BadRows) as caught:
        source("rows").read(file, "train", columns={"id": "id", "question": "text"})
    assert [e.id for e in caught.value.usable or ()] == ["1", "5"]
