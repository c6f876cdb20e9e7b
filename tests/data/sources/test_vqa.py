"""VQA v2, real, generated, and as LXMERT distributes it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.data.distinct import image_stem
from chiasm.data.example import DataError
from chiasm.data.images import open_image
from chiasm.data.regions import Preprocess
from chiasm.data.sources import source

from .written import dump, images_open

Shared = Callable[..., Path]


@pytest.fixture
def real_vqa(tmp_path: Path, shared_data: Shared) -> Path:
    real = shared_data("real_pairs")
    shutil.copy(real / "vqav2" / "questions.json", tmp_path / "v2_OpenEnded_mscoco_train2014_questions.json")
    shutil.copy(real / "vqav2" / "annotations.json", tmp_path / "v2_mscoco_train2014_annotations.json")
    shutil.copytree(real / "images" / "vqav2", tmp_path / "images")
    return tmp_path


def test_real_vqa_questions_have_ten_answers_and_their_photo(real_vqa: Path) -> None:
    examples = source("vqa").read(real_vqa, "train2014")
    first = examples[0]
    assert first.id == "458752000"
    assert first.values["text"] == "What is this photo taken looking through?"
    assert Counter(first.values["answer"])["net"] == 6
    assert first.values["images"][0].endswith("COCO_train2014_000000458752.jpg")
    assert all(len(e.values["answer"]) == 10 for e in examples)
    assert open_image(first.values["images"][0]).mode == "RGB"


def test_answers_of_another_split_are_refused(real_vqa: Path) -> None:
    file = real_vqa / "v2_mscoco_train2014_annotations.json"
    content = json.loads(file.read_text())
    content["annotations"] = content["annotations"][1:]
    file.write_text(json.dumps(content))
    with pytest.raises(
        DataError, match=r"lacks 1 of the \d+ questions .* such as 458752000: .*another split or data set"
    ):
        source("vqa").read(real_vqa, "train2014")


def test_a_question_file_is_no_annotation_file(real_vqa: Path) -> None:
    questions = real_vqa / "v2_OpenEnded_mscoco_train2014_questions.json"
    shutil.copy(questions, real_vqa / "v2_mscoco_train2014_annotations.json")
    with pytest.raises(DataError, match=r"annotations\.json is no VQA file: .* list 'annotations'"):
        source("vqa").read(real_vqa, "train2014")


def test_training_questions_without_annotations_are_an_error_and_test_questions_are_not(real_vqa: Path) -> None:
    (real_vqa / "v2_mscoco_train2014_annotations.json").unlink()
    with pytest.raises(DataError, match="found no file with the VQA annotations of split 'train2014'"):
        source("vqa").read(real_vqa, "train2014")
    questions = real_vqa / "v2_OpenEnded_mscoco_train2014_questions.json"
    questions.rename(real_vqa / "v2_OpenEnded_mscoco_test2015_questions.json")
    assert {e.values["answer"] for e in source("vqa").read(real_vqa, "test2015")} == {None}


def test_test_dev_questions_are_about_the_images_of_test(tmp_path: Path) -> None:
    questions = [{"question_id": 1, "image_id": 7, "question": "what?"}]
    dump(
        tmp_path / "v2_OpenEnded_mscoco_test-dev2015_questions.json",
        {"data_subtype": "test-dev2015", "questions": questions},
    )
    (example,) = source("vqa").read(tmp_path, "test-dev2015")
    assert image_stem(example.values["images"][0]) == "COCO_test2015_000000000007"


def test_an_empty_vqa_split_is_an_error(tmp_path: Path) -> None:
    dump(tmp_path / "v2_OpenEnded_mscoco_test_questions.json", {"questions": []})
    with pytest.raises(DataError, match="the split is empty"):
        source("vqa").read(tmp_path, "test")


def test_the_files_that_lxmert_distributes_are_read(tmp_path: Path) -> None:
    entry = {
        "answer_type": "other",
        "img_id": "COCO_val2014_000000262148",
        "label": {"net": 1, "netting": 0.3},
        "question_id": 262148000,
        "question_type": "none of the above",
        "sent": "Where is he looking?",
    }
    dump(tmp_path / "vqa" / "minival.json", [entry])
    (tmp_path / "val2014").mkdir()
    (tmp_path / "val2014" / "COCO_val2014_000000262148.jpg").touch()
    (example,) = source("vqa").read(tmp_path, "minival")
    assert example.values["answer"] == {"net": 1, "netting": 0.3}
    assert example.values["images"] == (str(tmp_path / "val2014" / "COCO_val2014_000000262148.jpg"),)
    assert example.info["answer_type"] == "other"
    dump(tmp_path / "vqa" / "minival.json", [{"sent": "what?"}])
    with pytest.raises(DataError, match="lacks 'question_id' and 'img_id'"):
        source("vqa").read(tmp_path, "minival")


def test_the_generated_world_is_read_as_vqa(scenes: Path) -> None:
    examples = source("vqa").read(scenes, "train", boxes=True)
    assert all(len(e.values["answer"]) == 10 for e in examples)
    assert {"yes/no", "number", "other"} >= {e.info["answer_type"] for e in examples}
    assert images_open(examples)
    Preprocess(extractor_options={"size": 2}).encode(examples)
