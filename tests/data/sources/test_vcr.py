"""VCR as published: texts that point at objects, labels, and what becomes of damaged rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chiasm.data.example import BadRows, DataError
from chiasm.data.sources.vcr import NAMES, names_of, read, words

# One line of val.jsonl in the official form, shortened to what is read, with texts of our own.
ENTRY: dict[str, Any] = {
    "movie": "3015_CHARLIE_ST_CLOUD",
    "objects": ["person", "person", "bottle", "bottle", "chair"],
    "img_fn": "lsmdc/a@0.jpg",
    "metadata_fn": "lsmdc/a@0.json",
    "question": ["Why", "does", [0], "point", "at", [0, 1], "?"],
    "answer_choices": [
        [[0], "'s", "bottle", "is", [3], "."],
        ["It", "is", [4], "."],
        ["No", "."],
        ["Yes", ",", [1], "."],
    ],
    "answer_label": 2,
    "rationale_choices": [["Because", "."], [[2], "."], ["So", "."], ["It", "is", "."]],
    "rationale_label": 1,
    "img_id": "val-0",
    "annot_id": "val-7",
    "match_fold": "val-0",
}


def folder(place: Path, *entries: dict[str, Any], split: str = "val") -> Path:
    (place / f"{split}.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    (place / "vcr1images" / "lsmdc").mkdir(parents=True)
    return place


def test_objects_become_words_the_same_in_question_answers_and_rationales(tmp_path: Path) -> None:
    (example,) = read(folder(tmp_path, ENTRY), "val")
    assert example.id == "val-7"
    assert example.values["text"] == "Why does Casey point at Casey and Riley?"
    assert example.values["choices"][0] == "Casey's bottle is bottle 2."
    assert example.values["choices"][1] == "It is chair."
    assert example.values["rationales"][1] == "bottle 1."
    assert (example.values["answer"], example.values["rationale"]) == (2, 1)
    assert example.values["images"] == (str(tmp_path / "vcr1images" / "lsmdc" / "a@0.jpg"),)
    assert example.info["image_id"] == "val-0"


def test_persons_may_be_numbered_instead() -> None:
    assert names_of(["person", "dog", "person"], "classes") == ["person 1", "dog", "person 2"]
    many = names_of(["person"] * 30)
    assert len(set(many)) == 30
    assert many[len(NAMES)] == f"{NAMES[0]} 2"


def test_the_test_split_has_no_labels(tmp_path: Path) -> None:
    entry = {key: value for key, value in ENTRY.items() if not key.endswith("_label")}
    (example,) = read(folder(tmp_path, entry, split="test"), "test")
    assert example.values["answer"] is None
    assert example.values["rationale"] is None


def test_boxes_come_from_the_metadata_when_asked_for(tmp_path: Path) -> None:
    place = folder(tmp_path, ENTRY)
    (place / "vcr1images/lsmdc/a@0.json").write_text(json.dumps({"boxes": [[1, 2, 3, 4, 0.9], [5, 6, 7, 8, 0.5]]}))
    (example,) = read(place, "val", boxes=True)
    assert example.values["boxes"] == ([[1, 2, 3, 4], [5, 6, 7, 8]],)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"question": ["Is", [9], "?"]}, "object numbers below 5"),
        ({"question": ["Is", [-1], "?"]}, "object numbers below 5"),
        ({"question": ["Is", None, "?"]}, "object numbers below 5"),
    ],
)
def test_a_tag_that_points_nowhere_is_a_named_bad_row(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRows, match=f"val.jsonl, line 2, row val-7: .*{reason}") as caught:
        read(folder(tmp_path, ENTRY, {**ENTRY, **changes}), "val")
    assert caught.value.usable is not None
    assert len(caught.value.usable) == 1


def test_a_row_of_another_kind_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRows, match="it lacks 'question' and 'answer_choices'"):
        read(folder(tmp_path, {"sentence": "?"}), "val")
    with pytest.raises(DataError, match="found no VCR questions of 'train'"):
        read(tmp_path, "train")


def test_punctuation_stands_where_it_belongs() -> None:
    assert words(["Well", ",", [0], "'s", "here", "!"], ["Pat"]) == "Well, Pat's here!"
