"""Cells that are no plain text or number: arrays, quotes in the wrong place, JSON that Python cannot hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chiasm.data.answers import build_targets
from chiasm.data.example import DataError, Example
from chiasm.data.rows import read_rows
from chiasm.data.sources._files import read_json, read_json_lines
from chiasm.data.table_files import read_raw

QUESTIONS = [f"what is thing number {i},yes" for i in range(100)]
DEEP = "[" * 100_000


def csv(folder: Path, *lines: str, name: str = "rows.csv") -> Path:
    file = folder / name
    file.write_text("\n".join(["text,answer", *lines]) + "\n")
    return file


def json_lines(folder: Path, *lines: str) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize(
    "cells",
    [
        {"image": [np.zeros((4, 4), np.uint8)] * 2},
        {"boxes": [np.array([[0, 0, 1, 1]]), np.array([[0, 0, 1, 1], [0, 0, 2, 2]])]},
        {"answers": [np.array(["x", "y"], dtype=object)] * 2},
    ],
    ids=lambda cells: next(iter(cells)),
)
def test_a_data_frame_may_hold_arrays(cells: dict[str, Any]) -> None:
    found = read_rows(pd.DataFrame({"text": ["what is this", "what is that"], **cells}))
    assert len(found.examples) == 2
    json.dumps([guess.to_json() for guess in found.columns])


def test_lists_that_pandas_read_as_arrays_are_lists(folder: Path) -> None:
    rows = [{"text": "what is in here", "boxes": [[0, 0, 1, 1]], "answers": ["x", "y"], "photos": ["a.png", "b.png"]}]
    pd.DataFrame(rows).to_parquet(folder / "rows.parquet")
    frame = pd.read_parquet(folder / "rows.parquet")
    assert isinstance(frame["boxes"][0], np.ndarray)
    values = read_rows(frame, folder=folder).examples[0].values
    assert values["boxes"] == [[0, 0, 1, 1]]
    assert values["answer"] == ["x", "y"]
    assert values["images"] == (str(folder / "a.png"), str(folder / "b.png"))


@pytest.mark.parametrize("bad", ['what is five,"no', '"what is five,no'])
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_a_quote_that_is_never_closed_loses_no_row_silently(tmp_path: Path, bad: str, on_error: str) -> None:
    file = csv(tmp_path, *QUESTIONS[:5], bad, *QUESTIONS[5:])
    with pytest.raises(DataError, match=r"rows\.csv, line 7: a quote is opened in this row and never closed"):
        read_rows(file, on_error=on_error)


def test_a_quote_inside_a_cell_is_named_with_the_lines_that_it_holds(tmp_path: Path) -> None:
    file = csv(
        tmp_path, *QUESTIONS[:5], '"what is five,no', *QUESTIONS[5:8], '"is it red, or blue?",red', *QUESTIONS[8:]
    )
    found = read_rows(file, on_error="skip")
    (error,) = found.errors
    assert "rows.csv, line 7: " in str(error)
    assert "(its quotes hold all to line 11): write a quote inside a cell twice" in str(error)
    assert [e.origin for e in found.examples[4:6]] == ["rows.csv, line 6", "rows.csv, line 12"]
    assert len(found.examples) == 97


def test_a_file_without_a_line_end_after_its_last_row_is_whole(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('text,answer\nwhat is this thing,"yes"')
    assert read_rows(tmp_path / "rows.csv").examples[0].values["answer"] == "yes"


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ('"my\ntext",answer', ("my\ntext", "answer")),
        ('"a;b;c;d",answer', ("a;b;c;d", "answer")),
        ('"a,b,c,d";answer', ("a,b,c,d", "answer")),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_names_of_columns_may_hold_delimiters_and_line_breaks(
    tmp_path: Path, header: str, columns: tuple[str, str], ending: str
) -> None:
    import gzip

    delimiter = ";" if '";' in header else ","
    content = f"{header}\nwhat is this thing{delimiter}yes\nwhat is that thing{delimiter}no\n".encode()
    file = tmp_path / f"rows.{ending}"
    file.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    raw = read_raw(file)
    assert raw.columns == columns
    assert raw.origins[0] == f"rows.{ending}, line {header.count(chr(10)) + 2}"


def test_names_of_columns_whose_quote_is_never_closed_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('"text,answer\nwhat is this,yes\n')
    with pytest.raises(DataError, match="line 1: a quote in the names of the columns is never closed"):
        read_raw(tmp_path / "rows.csv")


@pytest.mark.parametrize("name", ["ROWS.CSV", "rows.Csv"])
def test_an_ending_in_capitals_is_the_same(tmp_path: Path, name: str) -> None:
    assert len(read_rows(csv(tmp_path, *QUESTIONS, name=name)).examples) == 100


def test_a_column_that_is_twice_in_a_data_frame_is_refused() -> None:
    frame = pd.DataFrame([["a b", "yes", "no"]], columns=["text", "answer", "answer"])
    with pytest.raises(DataError, match="the DataFrame: the column 'answer' is there twice"):
        read_rows(frame)


@pytest.mark.parametrize("indent", [None, 1])
def test_an_object_of_objects_is_its_rows_on_one_line_or_many(tmp_path: Path, indent: int | None) -> None:
    rows = {"q1": {"text": "what is this", "answer": "x"}, "q2": {"text": "what is that", "answer": "y"}}
    (tmp_path / "rows.json").write_text(json.dumps(rows, indent=indent))
    found = read_rows(tmp_path / "rows.json")
    assert [(e.id, e.values["answer"]) for e in found.examples] == [("q1", "x"), ("q2", "y")]


def test_one_object_on_a_line_is_one_row_also_in_a_json_file(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('{"text": "what is this", "answer": "x", "graph": {"objects": {}}}\n')
    assert [e.values["answer"] for e in read_rows(tmp_path / "rows.json").examples] == ["x"]


GOOD = '{"text": "what is this", "answer": "x", "n": 1}'


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"text": "what is that", "answer": "y", "n": ' + "1" * 400 + "}", "column 'n': the number is too large"),
        (
            '{"text": "what is that", "answer": "y", "n": ' + "1" * 5000 + "}",
            "a number of more digits than Python reads",
        ),
        (DEEP, "inside each other, too deep to be read"),
        (
            '{"text": "what \\ud800 is", "answer": "y", "n": 1}',
            "the text holds '\\ud800', which is half of a character",
        ),
        ('{"text": "what is that", "answer": "\\ud800", "n": 1}', "column 'answer': the text holds '\\ud800'"),
    ],
    ids=["400 digits", "5000 digits", "deep", "text", "answer"],
)
def test_what_json_can_say_and_python_cannot_hold_is_a_bad_row(tmp_path: Path, bad: str, message: str) -> None:
    found = read_rows(json_lines(tmp_path, GOOD, bad, GOOD), on_error="skip")
    assert len(found.examples) == 2
    (error,) = found.errors
    assert str(error).startswith("rows.jsonl, line 2")
    assert message in str(error)
    str(error).encode()


@pytest.mark.parametrize("content", [DEEP, "[" + "1" * 5000 + "]"], ids=["deep", "digits"])
@pytest.mark.parametrize("read", [read_rows, read_json, read_json_lines])
def test_a_whole_file_of_them_is_named(tmp_path: Path, read: Callable[[Path], Any], content: str) -> None:
    (tmp_path / "rows.json").write_text(content)
    with pytest.raises(DataError, match=r"rows\.json.* is no valid JSON"):
        read(tmp_path / "rows.json")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": "x" * 5000}, "has no name that a file can have"),
        ({"image": b"x", "boxes": DEEP}, "is no list of boxes"),
        ({"image": b"x", "boxes": "[[" + "1" * 5000 + "]]"}, "is no list of boxes"),
    ],
    ids=["name", "deep", "digits"],
)
def test_a_cell_that_no_file_or_list_can_be_is_a_bad_row(row: dict[str, Any], message: str) -> None:
    good = {"image": b"x", "boxes": "[]"}
    roles = {"image": "image", **({"boxes": "boxes"} if "boxes" in row else {})}
    found = read_rows([{"text": "what is it", **(good | row)}, {"text": "what is it", **good}], roles, on_error="skip")
    assert len(found.examples) == 1
    assert message in str(found.errors[0])


def test_an_answer_too_large_for_a_number_is_named_by_its_row() -> None:
    with pytest.raises(DataError, match="of row 1 is no number"):
        build_targets("number", [1, 10**400])


def test_a_table_cell_too_large_for_a_number_is_a_bad_row() -> None:
    from chiasm.data.table import Preprocess

    rows = [Example("a", {"table": {"age": 3}}), Example("b", {"table": {"age": 10**400}})]
    with pytest.raises(DataError, match="row b: the column 'age' holds 1000"):
        Preprocess(numbers=("age",)).fit(rows)
