"""What columns are: guessed, shown, overridable."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chiasm.data.column_map import guess_columns, override
from chiasm.data.example import DataError
from chiasm.data.rows import guess, read_rows
from chiasm.data.table_files import read_raw

from .tables import write


def test_the_column_map_is_overridable(folder: Path) -> None:
    rows = [{"a": "is it red or blue?", "b": "it is as red as can be", "c": "red"}] * 4
    file = write(folder, "csv", rows)
    _, guessed = guess(file)
    assert [g.role for g in guessed] == ["category", "category", "category"]
    found = read_rows(file, {"a": "text", "c": "answer", "b": "ignore"})
    assert found.examples[0].values == {"text": "is it red or blue?", "answer": "red"}
    assert found.columns[0].reason == "as you say"


def test_a_role_that_is_given_is_taken_from_the_given_column_only(folder: Path) -> None:
    rows = [{"question": f"what is number {i} of them", "hint": f"it is the number after {i - 1}"} for i in range(30)]
    both = read_rows(write(folder, "csv", rows)).examples[0].values["text"]
    one = read_rows(write(folder, "csv", rows), {"question": "text"}).examples[0]
    assert both == "what is number 0 of them [SEP] it is the number after -1"
    assert one.values["text"] == "what is number 0 of them"
    assert one.info["hint"] == "it is the number after -1"


def test_a_column_that_is_not_there_gets_the_nearest_name_and_the_list(folder: Path) -> None:
    with pytest.raises(
        DataError, match=r"unknown column 'qestion'; did you mean 'question'\? The columns are: question, img"
    ):
        read_rows(write(folder, "csv"), {"qestion": "text"})
    with pytest.raises(DataError, match=r"unknown role 'txt'; did you mean 'text'"):
        read_rows(write(folder, "csv"), {"question": "txt"})


def test_two_answer_columns_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="question, label are all called 'answer'"):
        read_rows(write(folder, "csv"), {"label": "answer", "question": "answer"})


def test_guesses_are_shown_with_reason_sample_and_missing_share() -> None:
    raw = read_raw([{"x": 1.5, "photo": "a picture.JPG"}, {"x": math.nan, "photo": "b.jpg"}])
    shown = [guess.to_json() for guess in guess_columns(raw)]
    assert shown[0] == {
        "column": "x",
        "role": "number",
        "reason": "its cells are numbers",
        "sample": "1.5",
        "missing": 0.5,
    }
    assert shown[1]["role"] == "image"
    json.dumps(shown)


@pytest.mark.parametrize(
    ("column", "values", "role"),
    [
        ("id", ["x", "y", "z"], "id"),
        ("id", ["x", "x", "z"], "category"),
        ("split", ["train", "train", "test"], "split"),
        ("Label", [1, 0, 1], "answer"),
        ("boxes", ["[[0, 0, 1, 1]]", "[]", None], "boxes"),
        ("boxes", ["three", "four", "three"], "category"),
        ("graph", ['{"objects": {}}', None], "graph"),
        ("scene_graph", ['[{"label": "cup", "box": [0, 0, 1, 1]}]', "{broken"], "graph"),
        ("graph", [[{"label": "cup", "box": [0, 0, 1, 1]}]], "graph"),
        ("graph", [{"objects": {}}], "graph"),
        ("graph", ["bar chart", "line chart", "bar chart"], "category"),
        ("graph", ["[1, 2]", "[3, 4]", "[1, 2]", "[1, 2]"], "category"),
        ("graph", ["{broken", "{broken", "{broken"], "category"),
        ("price", ["1.5", "2", "1e3"], "number"),
        ("shop", ["north", "south", "north", "south"], "category"),
        ("words", ["we like it", "not at all good", "so so la la"], "text"),
        ("code", ["x17", "x18", "x19"], "info"),
        ("empty", [None, None], "ignore"),
        ("tags", [["a"], ["b"]], "info"),
        ("photos", [["a.png", "b.png"], ["c.png"]], "image"),
        ("photo", ["all.zip::a", "all.zip::b"], "image"),
        ("question", ["is it red or blue?"] * 30, "text"),
        ("hint", ["is it red or blue?"] * 30, "category"),
        ("question", ["first", "second"] * 15, "category"),
        ("question", ["what color?", "what shape?"] * 4, "text"),
        ("hint", ["what color?", "what shape?"] * 4, "category"),
        ("boxes", [np.array([[0, 0, 1, 1]]), np.array([[0, 0, 1, 1], [0, 0, 2, 2]])], "boxes"),
        ("photo", [np.zeros((4, 4), np.uint8)] * 2, "image"),
        ("photos", [np.array(["a.png", "b.png"], dtype=object)] * 2, "image"),
        ("tags", [np.array(["a"])] * 2, "info"),
        ("price", [1, 10**400], "number"),
    ],
)
def test_roles_are_guessed_from_name_and_values(column: str, values: list[Any], role: str) -> None:
    (found,) = guess_columns(read_raw([{column: value} for value in values]))
    assert found.role == role


def test_files_that_are_there_are_images_whatever_their_ending(folder: Path) -> None:
    (folder / "a.png").rename(folder / "a")
    (found,) = guess_columns(read_raw(write(folder, "csv", [{"scan": "a"}])))
    assert found.role == "image"


def test_overrides_leave_the_other_guesses_alone() -> None:
    guesses = guess_columns(read_raw([{"a": 1.0, "b": "some words of text here"}]))
    assert [g.role for g in override(guesses, {"a": "answer"})] == ["answer", "text"]


def test_what_cannot_be_written_is_shown_by_its_number() -> None:
    (found,) = guess_columns(read_raw([{"text": "half \ud800 of a character"}]))
    assert found.sample == "half \\ud800 of a character"
