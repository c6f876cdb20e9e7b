"""Rows in: every kind of table, a column map that is guessed and overridable, bad rows named."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chiasm.data.example import BadRows, DataError
from chiasm.data.rows import guess, read_rows
from chiasm.data.table_files import read_raw

from .tables import BAD, ROLES, ROWS, write


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "json", "jsonl", "jsonl.gz", "parquet"])
def test_every_kind_of_file_gives_the_same_examples(folder: Path, ending: str) -> None:
    rows = read_rows(write(folder, ending))
    assert [(g.column, g.role) for g in rows.columns] == list(ROLES.items())
    assert [e.values["text"] for e in rows.examples] == [row["question"] for row in ROWS]
    assert [e.values["images"] for e in rows.examples] == [(str(folder / row["img"]),) for row in ROWS]
    assert [e.values["answer"] for e in rows.examples] == [row["label"] for row in ROWS]
    assert [e.id for e in rows.examples] == ["0", "1", "2"]


def test_a_data_frame_a_data_set_and_a_list_are_rows(folder: Path) -> None:
    for data in (pd.DataFrame(ROWS), datasets.Dataset.from_list(ROWS), ROWS):
        examples = read_rows(data, folder=folder).examples
        assert [e.values["answer"] for e in examples] == ["cat", "2", "yes"]
        assert examples[1].origin == "row 1"


def test_decoded_images_of_a_data_set_are_images() -> None:
    rows = [{"picture": np.zeros((4, 4, 3), dtype=np.uint8), "caption": "a black square on nothing at all"}]
    features = datasets.Features({"picture": datasets.Image(), "caption": datasets.Value("string")})
    found = read_rows(datasets.Dataset.from_list(rows, features=features))
    assert [g.role for g in found.columns] == ["image", "text"]
    assert isinstance(found.examples[0].values["images"][0], Image.Image)


def test_a_dictionary_of_data_sets_asks_for_a_split() -> None:
    with pytest.raises(DataError, match="splits train, test: choose one"):
        read_raw(
            datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS), "test": datasets.Dataset.from_list(ROWS)})
        )


def test_origins_are_the_lines_of_the_file(folder: Path) -> None:
    file = folder / "rows.csv"
    file.write_text('question,img\n"two\nlines of a question",a.png\nanother question here,b.png\n')
    assert [e.origin for e in read_rows(file).examples] == ["rows.csv, line 2", "rows.csv, line 4"]


def test_words_like_na_and_none_are_words(folder: Path) -> None:
    file = folder / "rows.csv"
    file.write_text(
        "question,label\nwhat is written on the sign,NA\nwhat is it made of then,None\nwhat else is it now,null\n"
    )
    assert [e.values["answer"] for e in read_rows(file).examples] == ["NA", "None", "null"]


def test_a_line_separator_inside_a_json_string_ends_no_line(folder: Path) -> None:
    file = folder / "rows.jsonl"
    file.write_text(json.dumps({"text": "one\u2028two three four"}, ensure_ascii=False), encoding="utf-8")
    assert read_rows(file).examples[0].values["text"] == "one\u2028two three four"


def test_an_object_of_objects_has_its_keys_as_ids(folder: Path) -> None:
    file = folder / "rows.json"
    file.write_text(json.dumps({"x1": ROWS[0], "x2": ROWS[1]}, indent=1))
    assert [e.id for e in read_rows(file).examples] == ["x1", "x2"]


def test_semicolons_and_tabs_are_found_in_the_first_line(folder: Path) -> None:
    file = folder / "rows.csv"
    file.write_text("question;label\nis it red, or green?;red\n")
    assert read_rows(file).examples[0].values["answer"] == "red"


def test_a_role_that_is_needed_and_missing_lists_the_columns(folder: Path) -> None:
    rows = [{"question": row["question"]} for row in ROWS]
    with pytest.raises(DataError, match=r"no column is the image\. The columns are: question \(text\)"):
        read_rows(write(folder, "csv", rows), need=["text", "image"])


def test_several_image_columns_are_several_images(folder: Path) -> None:
    rows = [{"left": "a.png", "right": "b.png", "text": "the left one is like the right one"}]
    assert read_rows(write(folder, "csv", rows)).examples[0].values["images"] == (
        str(folder / "a.png"),
        str(folder / "b.png"),
    )


def test_an_image_inside_an_archive_is_found(folder: Path) -> None:
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.write(folder / "a.png", "a.png")
    rows = read_rows([{"image": "all.zip::a.png"}, {"image": "all.zip::c.png"}], folder=folder, on_error="skip")
    assert rows.examples[0].values["images"] == (f"{folder}/all.zip::a.png",)
    assert "'c.png' is not in" in str(rows.errors[0])


def test_boxes_belong_to_the_image(folder: Path) -> None:
    rows = [{"image": "a.png", "boxes": "[[0, 0, 2, 2]]", "text": "what is in here"}]
    assert read_rows(write(folder, "csv", rows)).examples[0].values["boxes"] == ([[0, 0, 2, 2]],)


def test_table_columns_are_one_value_with_missing_cells_none(folder: Path) -> None:
    rows = [{"price": 3, "shop": "north"}, {"price": None, "shop": "south"}, {"price": 4, "shop": "north"}] * 2
    found = read_rows(write(folder, "csv", rows))
    assert found.examples[1].values["table"] == {"price": None, "shop": "south"}


def test_every_bad_row_is_named_with_file_line_and_reason(folder: Path) -> None:
    with pytest.raises(BadRows) as caught:
        read_rows(write(folder, "csv", BAD), {"id": "id", "question": "text"})
    message = str(caught.value)
    assert "5 bad rows" in message
    assert "rows.csv, line 3, row 2: image 'gone.png' is not there" in message
    assert "rows.csv, line 4, row 3: column 'question': the text is empty" in message
    assert "rows.csv, line 5, row 4: column 'question': the text is missing" in message
    assert "rows.csv, line 7, row 1: the id was given already, in rows.csv, line 2" in message
    assert "rows.csv, line 8, row 7: image 'https://x.org/a.png' is on the web" in message
    assert caught.value.usable is not None
    assert [e.id for e in caught.value.usable] == ["1", "5"]


def test_bad_rows_can_be_skipped_and_are_still_told(folder: Path) -> None:
    rows = read_rows(write(folder, "csv", BAD), {"id": "id", "question": "text"}, on_error="skip")
    assert [e.id for e in rows.examples] == ["1", "5"]
    assert rows.examples[1].values["answer"] is None
    assert len(rows.errors) == 5


def test_lines_that_are_no_rows_are_named_and_the_others_read(folder: Path) -> None:
    csv, lines = folder / "rows.csv", folder / "rows.jsonl"
    csv.write_text("question,label\nis this one fine then,yes\na,b,c\n\nis that one fine too,no\n")
    lines.write_text('{"question": "is this one fine then"}\n{"question": \n[1]\n')
    found = read_rows(csv, on_error="skip")
    assert [str(error) for error in found.errors] == ["rows.csv, line 3: 3 cells for 2 columns"]
    assert found.examples[1].origin == "rows.csv, line 5"
    errors = [str(error) for error in read_rows(lines, on_error="skip").errors]
    assert errors == [
        "rows.jsonl, line 2: no valid JSON (Expecting value at column 14)",
        "rows.jsonl, line 3: [1] is no object",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "is not there"),
        ("rows.xlsx", b"", "rows are read from .csv"),
        ("empty.csv", b"", "is empty: a first line"),
        ("header.csv", b"a,b\n", "holds no row"),
        ("twice.csv", b"a,a\n1,2\n", "column 'a' is there twice"),
        ("latin.csv", b"a,b\n\xe9\xe8,1\n", "is not UTF-8"),
        ("broken.parquet", b"PAR1", "is no Parquet file"),
        ("broken.csv.gz", b"text", "cannot be read"),
        ("broken.json", b'[{"a": 1},', "is no valid JSON"),
        ("broken.jsonl", b"nothing\n", "no row that can be read: broken.jsonl, line 1"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_rows(tmp_path / name)


def test_when_no_row_can_be_used_skipping_says_so(folder: Path) -> None:
    file = write(folder, "csv", [BAD[2], BAD[1]])
    with pytest.raises(DataError, match=r"no row can be used; the first bad one: rows\.csv, line 2"):
        read_rows(file, {"question": "text"}, on_error="skip")


@pytest.mark.parametrize("data", [7, [1, 2], []])
def test_what_holds_no_rows_is_refused(data: Any) -> None:
    with pytest.raises(DataError, match=r"hold|mapping"):
        read_rows(data)


def test_real_questions_are_read_by_their_guessed_columns(shared_data: Any) -> None:
    rows = read_rows(
        shared_data("coco_mini") / "vqa_overlap.json", folder=shared_data("coco_mini").parent, on_error="skip"
    )
    assert {"question": "text", "image": "image", "answer": "answer"}.items() <= {
        g.column: g.role for g in rows.columns
    }.items()
    assert len(rows.examples) == 62
    assert len(rows.errors) == 86  # their photographs are not in the set
    reviews = guess(shared_data("clothing_reviews") / "val.csv.gz")[1]
    roles = {g.column: g.role for g in reviews}
    assert (roles["Review Text"], roles["Age"], roles["Department Name"]) == ("text", "number", "category")
