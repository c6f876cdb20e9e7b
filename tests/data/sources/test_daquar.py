"""DAQUAR: answer sets, a split of our own that divides no image, the official text files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chiasm.data.example import BadRows, DataError
from chiasm.data.sources.daquar import answer_set, read

SPLITS = ("train", "validation", "test")


def folder(place: Path, questions: int = 60) -> Path:
    rows = [{"image": f"image{i % 20}", "question": f"what is {i}", "answer": "book, lamp"} for i in range(questions)]
    (place / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def test_an_answer_is_a_set_in_alphabetical_order() -> None:
    assert answer_set("red,  Blue, red") == ("blue", "red")
    assert answer_set("6") == ("6",)
    assert answer_set(" , ") == ()


def test_no_image_is_in_two_splits_and_every_question_is_in_one(tmp_path: Path) -> None:
    parts = {split: read(folder(tmp_path), split) for split in SPLITS}
    images = {split: {e.info["image_id"] for e in examples} for split, examples in parts.items()}
    assert {split: len(found) for split, found in images.items()} == {"train": 16, "validation": 2, "test": 2}
    assert len(set.union(*images.values())) == 20
    assert sum(map(len, parts.values())) == 60
    assert parts["test"][0].values["answer"] == "book, lamp"


def test_another_seed_chooses_other_images(tmp_path: Path) -> None:
    first, second = ({e.info["image_id"] for e in read(folder(tmp_path), "test", held_out=0.3, seed=s)} for s in (0, 1))
    assert first != second


def test_the_official_files_have_the_image_in_the_question(tmp_path: Path) -> None:
    lines = ["what is on the desk in the image3 ?", "book, lamp", "how many chairs are in this image12?", "2"]
    (tmp_path / "qa.37.raw.test.txt").write_text("\n".join(lines) + "\n")
    first, second = read(tmp_path, "official_test")
    assert (first.values["text"], first.info["image_id"]) == ("what is on the desk", "image3")
    assert (second.values["text"], second.values["answer"]) == ("how many chairs are", "2")
    (tmp_path / "qa.37.raw.test.txt").write_text("\n".join(lines[:3]))
    with pytest.raises(DataError, match="a question and an answer in turn"):
        read(tmp_path, "official_test")


def test_bad_rows_and_unknown_splits_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(json.dumps({"image": "image1", "question": "what?"}) + "\n")
    with pytest.raises(BadRows, match=r"train.jsonl, line 1, row 0: no DAQUAR question: it lacks 'answer'"):
        read(tmp_path, "all")
    with pytest.raises(DataError, match="no split 'val'"):
        read(folder(tmp_path), "val")
    with pytest.raises(DataError, match=r"held_out is 0.5"):
        read(folder(tmp_path), "test", held_out=0.5)


def test_the_real_files_are_read_and_every_photo_of_a_question_is_there(shared_data: Any) -> None:
    parts = {split: read(shared_data("daquar"), split) for split in SPLITS}
    assert sum(map(len, parts.values())) == 6795
    images = [{e.info["image_id"] for e in examples} for examples in parts.values()]
    assert sum(map(len, images)) == len(set.union(*images)) == 794
    assert all("::" in example.values["images"][0] for example in parts["test"])
