"""Captions grouped by image from each official format, and translations from two files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from chiasm.data.example import BadRows, DataError
from chiasm.data.sources import captions, translation
from chiasm.synth import generate

COCO = {
    "images": [{"id": 7, "file_name": "7.jpg"}, {"id": 8, "file_name": "8.jpg"}, {"id": 9, "file_name": "9.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 8, "caption": "a dog"},
        {"id": 2, "image_id": 7, "caption": "a cat"},
        {"id": 3, "image_id": 8, "caption": "the dog"},
    ],
}


def write(folder: Path, name: str, content: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def test_coco_captions_are_grouped_by_image(tmp_path: Path) -> None:
    write(tmp_path, "annotations/captions_val2014.json", COCO)
    rows = captions.read(tmp_path, "val2014")
    assert [(r.id, r.values["answer"]) for r in rows] == [("7", ["a cat"]), ("8", ["a dog", "the dog"])]
    assert rows[1].info == {"image_id": "8"}
    assert rows[1].values["images"][0].endswith("8.jpg")


def test_karpathys_splits_are_read(tmp_path: Path) -> None:
    images = [
        {"cocoid": 5, "filename": "5.jpg", "split": "restval", "sentences": [{"raw": "A dog."}, {"raw": "Dogs."}]},
        {"filename": "x.jpg", "split": "test", "sentences": [{"raw": "A cat."}]},
    ]
    write(tmp_path, "dataset_coco.json", {"images": images})
    assert [(r.id, r.values["answer"]) for r in captions.read(tmp_path, "restval")] == [("5", ["A dog.", "Dogs."])]
    assert [r.id for r in captions.read(tmp_path, "test")] == ["x"]
    with pytest.raises(DataError, match="holds no captions of 'val'"):
        captions.read(tmp_path, "val")


def test_flickr8k_is_read(shared_data: object) -> None:
    rows = captions.read(shared_data / "flickr8k_text", "dev")  # type: ignore[operator]
    assert len(rows) == 1000
    assert all(len(r.values["answer"]) == 5 for r in rows)


def test_coco_mini_is_read(shared_data: object) -> None:
    rows = captions.read(shared_data / "coco_mini", "val2017", limit=10)  # type: ignore[operator]
    assert len(rows) == 10
    assert all(len(r.values["answer"]) >= 5 for r in rows)


def test_the_generated_world_says_who_wrote_what(tmp_path: Path) -> None:
    generate(
        "scenes", tmp_path / "w", scenes=3, val_scenes=1, test_scenes=1, questions=1, formats=["captions"], workers=1
    )
    row = captions.read(tmp_path / "w", "train")[0]
    assert row.info["annotator"] == ["careful", "plain", "terse", "vague", "hasty"]
    assert len(row.values["answer"]) == len(row.info["correct"]) == 5
    few = captions.read(tmp_path / "w", "train", annotators=("plain",))
    assert [len(r.values["answer"]) for r in few] == [1, 1, 1]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"images": [], "annotations": [{"image_id": 1, "caption": "x"}]}, "which 'images' lacks"),
        ({"images": [], "annotations": [{"caption": "x"}]}, "is no caption"),
        ([1], "holds no COCO captions"),
    ],
)
def test_damaged_captions_are_refused(tmp_path: Path, content: object, told: str) -> None:
    write(tmp_path, "captions_val.json", content)
    with pytest.raises(DataError, match=told):
        captions.read(tmp_path, "val")


def test_two_files_are_read_line_by_line(tmp_path: Path) -> None:
    write(tmp_path, "val.de", "Ein Hund.\nZwei Männer.\n")
    (tmp_path / "val.en.gz").write_bytes(gzip.compress(b"A dog.\nTwo men.\n"))
    rows = translation.read(tmp_path, "val")
    assert [(r.values["text"], r.values["answer"]) for r in rows] == [
        ("Ein Hund.", "A dog."),
        ("Zwei Männer.", "Two men."),
    ]
    turned = translation.read(tmp_path, "val", source="en", target="de", limit=1)
    assert [(r.values["text"], r.values["answer"]) for r in turned] == [("A dog.", "Ein Hund.")]
    assert rows[1].origin == "val.de, line 2"


def test_files_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "val.de", "eins\nzwei\n")
    write(tmp_path, "val.en", "one\n")
    with pytest.raises(DataError, match=r"2 lines and val\.en 1"):
        translation.read(tmp_path, "val")
    write(tmp_path, "val.en", "one\n\n")
    write(tmp_path, "val.de", "eins\nzwei\n")
    with pytest.raises(BadRows, match="line 2"):
        translation.read(tmp_path, "val")
    with pytest.raises(DataError, match="found no 'val' in 'fr'"):
        translation.read(tmp_path, "val", target="fr")


def test_long_sentences_are_left_out_when_asked(tmp_path: Path) -> None:
    write(tmp_path, "val.de", "Ein Hund.\nEin Hund rennt.\nHallo\nJa\n")
    write(tmp_path, "val.en", "A dog.\nA dog\nhello to you\nYes\n")
    rows = translation.read(tmp_path, "val", max_words=3)  # a full stop counts
    assert [row.id for row in rows] == ["val-1", "val-3", "val-4"]  # ids stay those of the lines
    assert [row.id for row in translation.read(tmp_path, "val", max_words=2, limit=1)] == ["val-4"]


def test_multi30k_is_read(shared_data: object) -> None:
    folder = shared_data / "multi30k"  # type: ignore[operator]
    assert [len(translation.read(folder, split)) for split in ("train", "val", "test_2016_flickr")] == [
        29000,
        1014,
        1000,
    ]


def test_generated_phrases_have_one_translation_and_a_planted_order(tmp_path: Path) -> None:
    world = generate("phrases", tmp_path / "w", sentences=300, val_sentences=5, test_sentences=5)
    rows = translation.read(world, "train", source="one", target="two")
    known: dict[str, str] = {}
    for row in rows:
        source, target = row.values["text"], row.values["answer"]
        assert known.setdefault(source, target) == target
        words = target.split()
        assert words[0].endswith("o")
        assert [w for w in words if w.endswith("am")]
        assert not words[-1].endswith(("o", "am"))  # the verb
        assert len(words) == len(source.split())
