"""Sentences about images: COCO captions, VG-QA, LXMERT's aggregated files, and several sources together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chiasm.data.example import DataError
from chiasm.data.sources import coco_captions, image_sentences, several, vg_qa


def write(folder: Path, name: str, content: Any) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


CAPTIONS = {
    "images": [{"id": 7, "file_name": "7.png"}, {"id": 8, "file_name": "8.png"}],
    "annotations": [
        {"id": 70, "image_id": 7, "caption": "A cube.", "annotator": "terse"},
        {"id": 71, "image_id": 7, "caption": "A red cube."},
        {"id": 80, "image_id": 8, "caption": "A ball."},
    ],
}
QUESTIONS = {
    "701": {"question": "What is it?", "imageId": "7", "answer": "cube"},
    "801": {"question": "Is it red?", "imageId": "8", "answer": "no"},
}
THING = {"name": "cube", "x": 0, "y": 0, "w": 4, "h": 4, "attributes": ["red", "big"]}
GRAPHS = {
    "7": {"width": 9, "height": 9, "objects": {"1": THING, "2": {**THING, "name": "ball", "attributes": []}}},
    "8": {"width": 9, "height": 9, "objects": {"3": {**THING, "name": "sign"}}},
}


def test_every_caption_is_a_row(tmp_path: Path) -> None:
    write(tmp_path, "captions/captions_train.json", CAPTIONS)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "7.png").touch()
    rows = coco_captions.read(tmp_path, "train")
    assert [row.values["text"] for row in rows] == ["A cube.", "A red cube.", "A ball."]
    assert rows[0].values["images"] == rows[1].values["images"] == (str(tmp_path / "images" / "7.png"),)
    assert rows[0].values["answer"] is None
    assert rows[0].info == {"image_id": "7", "annotator": "terse"}
    assert len(coco_captions.read(tmp_path, "train", limit=2)) == 2


def test_captions_of_another_kind_or_of_no_image_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "captions_val.json", [1])
    with pytest.raises(DataError, match="holds no COCO captions"):
        coco_captions.read(tmp_path, "val")
    write(tmp_path, "captions_val.json", {**CAPTIONS, "images": CAPTIONS["images"][:1]})
    with pytest.raises(DataError, match="caption 80 is about image 8"):
        coco_captions.read(tmp_path, "val")
    write(tmp_path, "captions_val.json", {"images": [], "annotations": []})
    with pytest.raises(DataError, match="holds no caption"):
        coco_captions.read(tmp_path, "val")


def test_visual_genomes_questions_and_visual7ws_splits(tmp_path: Path) -> None:
    pair = {"qa_id": 5, "question": "What is it?", "answer": "A cube."}
    write(tmp_path, "question_answers.json", [{"id": 7, "qas": [pair, {**pair, "qa_id": 6}]}])
    rows = vg_qa.read(tmp_path, "all")
    assert [(row.id, row.values["answer"], row.info["image_id"]) for row in rows] == [
        ("5", "A cube.", "7"),
        ("6", "A cube.", "7"),
    ]
    images = [
        {"image_id": 7, "filename": "v7w_7.jpg", "split": "train", "qa_pairs": [{**pair, "type": "what"}]},
        {"image_id": 8, "filename": "v7w_8.jpg", "split": "val", "qa_pairs": [{**pair, "qa_id": 9}]},
    ]
    write(tmp_path, "dataset_v7w_telling.json", {"images": images})
    (row,) = vg_qa.read(tmp_path, "val")
    assert row.id == "9"
    assert row.values["images"] == (str(tmp_path / "images" / "v7w_8"),)
    with pytest.raises(DataError, match="no question of the split 'test'"):
        vg_qa.read(tmp_path, "test")
    write(tmp_path, "question_answers.json", {"images": images})
    with pytest.raises(DataError, match="holds no Visual Genome questions"):
        vg_qa.read(tmp_path, "all")


def test_aggregated_sentences_have_answers_where_their_set_has(tmp_path: Path) -> None:
    datum = {
        "img_id": "COCO_7",
        "sentf": {"mscoco": [" A cube. "], "vqa": ["What is it?", "Is it red?"]},
        "labelf": {"vqa": [{"cube": 1, "box": 0.3}, {}]},
    }
    write(tmp_path, "mscoco_minival.json", [datum])
    rows = image_sentences.read(tmp_path, "mscoco_minival")
    assert [row.id for row in rows] == ["COCO_7_mscoco_000", "COCO_7_vqa_000", "COCO_7_vqa_001"]
    assert [row.values["answer"] for row in rows] == [None, {"cube": 1, "box": 0.3}, None]
    assert rows[0].values["text"] == "A cube."
    assert {row.info["image_id"] for row in rows} == {"COCO_7"}
    assert [row.info["set"] for row in image_sentences.read(tmp_path, "mscoco_minival", sets=("vqa",))] == ["vqa"] * 2
    write(tmp_path, "mscoco_minival.json", [{**datum, "labelf": {"vqa": [{}]}}])
    with pytest.raises(DataError, match="2 sentences and 1 labels of vqa"):
        image_sentences.read(tmp_path, "mscoco_minival")
    write(tmp_path, "mscoco_minival.json", [datum])
    with pytest.raises(DataError, match="holds no sentence of gqa"):
        image_sentences.read(tmp_path, "mscoco_minival", sets=("gqa",))


def test_several_sources_keep_their_names_and_share_named_boxes(tmp_path: Path) -> None:
    write(tmp_path, "captions/captions_train.json", CAPTIONS)
    write(tmp_path, "gqa/questions/train_balanced_questions.json", QUESTIONS)
    for place in ("", "gqa/"):
        write(tmp_path, f"{place}sceneGraphs/train_sceneGraphs.json", GRAPHS)
    captions = several.read(tmp_path, "coco_captions/train", named_boxes=True)
    questions = several.read(tmp_path, "gqa/train", named_boxes=True)  # in a folder of its own
    assert captions[0].id == "coco_captions/70"
    assert questions[1].info["set"] == "gqa"
    assert captions[0].values["objects"] == ((("cube", "red"), ("ball", "")),)
    assert captions[0].values["boxes"] == ([[0, 0, 4, 4], [0, 0, 4, 4]],)
    assert len(several.read(tmp_path, "coco_captions/train", limit=1)) == 1
    assert "objects" not in several.read(tmp_path, "gqa/train")[0].values
    for wrong in ("train", "gqua/train", "gqa/"):
        with pytest.raises(DataError, match="<source>/<split>"):
            several.read(tmp_path, wrong)


def test_annotators_answers_become_one_when_asked(tmp_path: Path) -> None:
    asked = {"questions": [{"question_id": 1, "image_id": 7, "question": "Is it red?"}], "data_subtype": "train2014"}
    given = [{"answer": a} for a in ("yes", "no", "yes")]
    (tmp_path / "images").mkdir()  # shared by all sets, as in the generated world, which has a folder "vqa" too
    (tmp_path / "images" / "7.png").touch()
    write(tmp_path, "vqa/v2_OpenEnded_mscoco_train_questions.json", asked)
    write(tmp_path, "vqa/v2_mscoco_train_annotations.json", {"annotations": [{"question_id": 1, "answers": given}]})
    (row,) = several.read(tmp_path, "vqa/train")
    assert row.values["answer"] == ["yes", "no", "yes"]
    assert row.values["images"] == (str(tmp_path / "images" / "7.png"),)
    (row,) = several.read(tmp_path, "vqa/train", one_answer=True)
    assert row.values["answer"] == "yes"
