"""VQA v2, real, generated, and as LXMERT distributes it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chiasm.data.distinct import image_stem
from chiasm.data.example import BadRows, DataError
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


def annotated(folder: Path, count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Questions, and annotations of theirs, to be spoilt and written by `written`."""
    questions = [{"question_id": i, "image_id": 1, "question": f"what is {i}"} for i in range(count)]
    return questions, [{"question_id": i, "answers": [{"answer": "yes"}] * 10} for i in range(count)]


def bad_rows(folder: Path, questions: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> BadRows:
    dump(folder / "v2_OpenEnded_mscoco_train2014_questions.json", {"questions": questions})
    dump(folder / "v2_mscoco_train2014_annotations.json", {"annotations": annotations})
    with pytest.raises(BadRows) as caught:
        source("vqa").read(folder, "train2014")
    return caught.value


def test_every_question_that_cannot_be_used_is_named_and_the_others_are_usable(tmp_path: Path) -> None:
    questions, annotations = annotated(tmp_path, 150)
    del questions[140]["image_id"]
    annotations[3]["answers"] = [{"x": 1}]
    annotations[4]["answers"] = "yes"
    error = bad_rows(tmp_path, [*questions, questions[0]], annotations)
    name = "v2_OpenEnded_mscoco_train2014_questions.json"
    assert [str(bad).replace(name, "file") for bad in error.rows] == [
        "file, entry 3, row 3: its annotation in v2_mscoco_train2014_annotations.json has no list 'answers' of objects "
        "with 'answer'",
        "file, entry 4, row 4: its annotation in v2_mscoco_train2014_annotations.json has no list 'answers' of objects "
        "with 'answer'",
        "file, entry 140, row 140: no VQA question: it lacks 'image_id'",
        "file, entry 150, row 0: the id was given already, in entry 0",
    ]
    assert error.usable is not None
    assert len(error.usable) == 147


def test_a_bad_entry_of_lxmerts_files_is_named(tmp_path: Path) -> None:
    good = {"question_id": 1, "img_id": "COCO_val2014_1", "sent": "what?", "label": {"net": 1}}
    dump(tmp_path / "vqa" / "minival.json", [good, {"question_id": 2, "sent": "who?"}, 7])
    with pytest.raises(BadRows) as caught:
        source("vqa").read(tmp_path, "minival")
    assert [str(bad) for bad in caught.value.rows] == [
        "minival.json, entry 1, row 2: no VQA question: it lacks 'img_id'",
        "minival.json, entry 2: no VQA question: it lacks 'question_id' and 'img_id' and 'sent'",
    ]
