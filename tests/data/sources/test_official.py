"""The official data sets are read from their own files, real and generated, and nothing else is taken for them."""

from __future__ import annotations

import inspect
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from chiasm.data.distinct import image_stem
from chiasm.data.example import BadRows, DataError, Example
from chiasm.data.images import open_image
from chiasm.data.regions import Preprocess
from chiasm.data.sources import source, source_names
from chiasm.registry import UnknownName
from chiasm.synth import generate

Shared = Callable[..., Path]


def dump(file: Path, content: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "scenes"
    generate("scenes", folder, seed=0, progress=False, scenes=24, val_scenes=6, test_scenes=6)
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "pairs"
    generate("pairs", folder, seed=0, progress=False, statements=20)
    return folder


def images_open(examples: list[Example]) -> bool:
    return all(open_image(image).mode == "RGB" for e in examples[:20] for image in e.values["images"])


@pytest.mark.parametrize("name", source_names())
def test_every_source_says_what_it_reads_and_refuses_a_foreign_folder(name: str, tmp_path: Path) -> None:
    module = source(name)
    assert module.SPLITS
    assert isinstance(module.FILES, str)
    assert list(inspect.signature(module.read).parameters)[:2] == ["folder", "split"]
    (tmp_path / "letter.txt").write_text("nothing")
    with pytest.raises(DataError, match=r"letter\.txt"):
        module.read(tmp_path, module.SPLITS[0])


def test_an_unknown_source_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="did you mean 'easy_vqa'"):
        source("easyvqa")


# GQA


@pytest.fixture
def real_gqa(tmp_path: Path, shared_data: Shared) -> Path:
    real = shared_data("real_pairs")
    (tmp_path / "questions").mkdir()
    shutil.copy(real / "gqa" / "questions.json", tmp_path / "questions" / "val_balanced_questions.json")
    (tmp_path / "questions" / "train_all_questions").mkdir()
    for part in (real / "gqa" / "question_dir").iterdir():
        shutil.copy(part, tmp_path / "questions" / "train_all_questions" / part.name)
    shutil.copytree(real / "images" / "gqa", tmp_path / "images")
    return tmp_path


def test_a_real_gqa_question_keeps_what_the_metrics_need(real_gqa: Path) -> None:
    (example,) = source("gqa").read(real_gqa, "val")
    assert example.id == "202218649"
    assert example.values["text"] == "What is hanging above the chalkboard?"
    assert example.values["answer"] == "picture"
    assert image_stem(example.values["images"][0]) == "n578564"
    info = example.info
    assert (info["structural"], info["semantic"], info["detailed"]) == ("query", "rel", "relS")
    assert (info["group"], info["entailed"], info["image_id"]) == ("thing", ("202218648",), "n578564")
    assert [step["operation"] for step in info["program"]] == ["select", "relate", "query"]
    assert images_open([example])


def test_gqa_questions_in_parts_are_one_split(real_gqa: Path) -> None:
    parts = (real_gqa / "questions" / "train_all_questions").glob("*.json")
    expected = [key for part in sorted(parts) for key in json.loads(part.read_text())]
    assert [e.id for e in source("gqa").read(real_gqa, "train", questions="all")] == expected


def test_real_scene_graphs_give_boxes_inside_the_image(tmp_path: Path, shared_data: Shared) -> None:
    graphs = json.loads((shared_data("gqa_sample") / "debug_sceneGraphs.json").read_text())
    dump(tmp_path / "sceneGraphs" / "val_sceneGraphs.json", graphs)
    questions = {f"q{i}": {"question": "what?", "imageId": image, "answer": "x"} for i, image in enumerate(graphs)}
    dump(tmp_path / "questions" / "val_balanced_questions.json", questions)
    examples = source("gqa").read(tmp_path, "val", boxes=True, graphs=True)
    assert len(examples) == 4
    for example in examples:
        graph = graphs[example.info["image_id"]]
        assert example.values["graph"] == graph
        assert example.info["objects"] == tuple(graph["objects"])
        (boxes,) = example.values["boxes"]
        assert len(boxes) == len(graph["objects"])
        for x1, y1, x2, y2 in boxes:
            assert 0 <= x1 < x2 <= graph["width"]
            assert 0 <= y1 < y2 <= graph["height"]


def test_a_gqa_question_about_an_image_without_scene_graph_is_named(tmp_path: Path) -> None:
    dump(tmp_path / "testdev_sceneGraphs.json", {})
    dump(tmp_path / "testdev_balanced_questions.json", {"q1": {"question": "what?", "imageId": "n1"}})
    with pytest.raises(DataError, match=r"question q1: image n1 has no scene graph .* none for testdev"):
        source("gqa").read(tmp_path, "testdev", boxes=True)
    (example,) = source("gqa").read(tmp_path, "testdev")
    assert example.values["answer"] is None


@pytest.mark.parametrize(
    ("content", "message"),
    [({}, "holds no question"), ([1], "is no GQA question file"), ({"q": {"question": "what?"}}, "lacks 'imageId'")],
)
def test_a_file_of_another_kind_is_no_gqa(tmp_path: Path, content: Any, message: str) -> None:
    dump(tmp_path / "val_balanced_questions.json", content)
    with pytest.raises(DataError, match=message):
        source("gqa").read(tmp_path, "val")


def test_the_generated_world_is_read_as_gqa(scenes: Path) -> None:
    read = source("gqa").read
    parts = {split: read(scenes, split, boxes=True, graphs=True) for split in ("train", "val", "test")}
    for examples in parts.values():
        assert {e.info["structural"] for e in examples} <= {"verify", "query", "choose", "logical", "compare"}
        assert all(len(e.values["boxes"][0]) == len(e.info["objects"]) >= 2 for e in examples)
        assert images_open(examples)
    images = {split: {e.info["image_id"] for e in examples} for split, examples in parts.items()}
    assert not images["train"] & images["test"]
    column = Preprocess(extractor_options={"size": 4}).encode(parts["train"])
    regions = column.gather(torch.arange(len(parts["train"])))
    assert regions.features.shape[0] == len(images["train"])
    assert read(scenes, "train", limit=3) == read(scenes, "train")[:3]


# VQA v2


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


# NLVR2


@pytest.fixture
def real_nlvr(tmp_path: Path, shared_data: Shared) -> Path:
    real = shared_data("real_pairs")
    shutil.copy(real / "nlvr2" / "tiny-dev.json", tmp_path / "dev.json")
    shutil.copytree(real / "images" / "nlvr2", tmp_path / "images")
    return tmp_path


def test_real_nlvr2_statements_have_left_and_right_photo(real_nlvr: Path) -> None:
    examples = source("nlvr").read(real_nlvr, "dev")
    first = examples[0]
    assert first.id == "dev-850-0-0"
    assert first.values["answer"] is False
    assert [image_stem(image) for image in first.values["images"]] == ["dev-850-0-img0", "dev-850-0-img1"]
    assert first.info["sentence_group"] == examples[1].info["sentence_group"] == "dev-850-0"
    assert images_open(examples[:2])


def test_nlvr2_training_images_in_numbered_folders_are_found(real_nlvr: Path) -> None:
    (real_nlvr / "images" / "train" / "17").mkdir(parents=True)
    (real_nlvr / "images" / "dev-850-0-img0.png").rename(real_nlvr / "images" / "train" / "17" / "train-1-0-img0.png")
    (real_nlvr / "train.json").write_text('{"identifier": "train-1-0-3", "sentence": "a", "label": "True"}\n')
    (example,) = source("nlvr").read(real_nlvr, "train")
    assert example.values["images"][0].endswith("images/train/17/train-1-0-img0.png")
    assert example.values["images"][1] == str(real_nlvr / "images" / "train-1-0-img1.png")  # where it should be


def test_bad_nlvr2_lines_are_named_and_the_others_usable(tmp_path: Path) -> None:
    good = {"identifier": "dev-1-0-0", "sentence": "a", "label": "True"}
    lines = [good, {**good, "identifier": "dev-1"}, {**good, "label": "maybe"}, {"sentence": "a"}]
    (tmp_path / "dev.json").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(BadRows) as caught:
        source("nlvr").read(tmp_path, "dev")
    assert "dev.json, line 2: identifier 'dev-1' is not 'split-set-pair-sentence'" in str(caught.value)
    assert "dev.json, line 3, row dev-1-0-0: label 'maybe' is neither True nor False" in str(caught.value)
    assert "dev.json, line 4: no NLVR2 statement: it lacks 'identifier'" in str(caught.value)
    assert [e.id for e in caught.value.usable or ()] == ["dev-1-0-0"]
    (tmp_path / "dev.json").write_text("")
    with pytest.raises(DataError, match="the split is empty"):
        source("nlvr").read(tmp_path, "dev")


def test_the_generated_pairs_are_read_as_nlvr2(pairs: Path) -> None:
    examples = source("nlvr").read(pairs, "train", boxes=True)
    assert {e.values["answer"] for e in examples} == {True, False}
    assert all(len(e.values["images"]) == len(e.values["boxes"]) == 2 for e in examples)
    column = Preprocess(extractor_options={"size": 2}).encode(examples)
    assert column.index.shape == (len(examples), 2)


# NLVR and easy-VQA


def test_nlvr_keeps_whole_directories_for_validation(shared_data: Shared) -> None:
    read = source("nlvr1").read
    train, held_out = (read(shared_data("nlvr1"), split) for split in ("train", "validation"))
    assert len(train) + len(held_out) == 3525
    directories = [{e.info["directory"] for e in part} for part in (train, held_out)]
    assert not directories[0] & directories[1]
    assert len(directories[1]) == 8  # a tenth of 80


def test_nlvr_shapes_are_where_the_boxes_say(shared_data: Shared) -> None:
    examples = source("nlvr1").read(shared_data("nlvr1"), "dev", permutations=6, limit=20)
    assert len(examples) == 120
    assert examples[7].id.endswith("-1")
    for example in examples:
        image = open_image(example.values["images"][0])
        for x1, y1, x2, y2 in example.values["boxes"][0][3:]:
            assert image.getpixel(((x1 + x2) // 2, (y1 + y2) // 2)) in {(0, 0, 0), (0, 153, 255), (255, 255, 0)}


def test_nlvr_regions_may_leave_the_containers_out(shared_data: Shared) -> None:
    with_boxes, without = (
        source("nlvr1").read(shared_data("nlvr1"), "dev", containers=c, limit=1)[0].values["boxes"][0]
        for c in (True, False)
    )
    assert with_boxes[:3] == [[0, 0, 100, 100], [150, 0, 250, 100], [300, 0, 400, 100]]
    assert with_boxes[3:] == without


def test_nlvr_says_when_a_permutation_has_no_picture(shared_data: Shared) -> None:
    with pytest.raises(BadRows, match=r"picture 2170-1-1\.png is not there; ask for fewer permutations"):
        source("nlvr1").read(shared_data("nlvr1"), "train", permutations=2)


def test_the_majority_of_nlvr_dev_is_55_percent(shared_data: Shared) -> None:
    answers = [e.values["answer"] for e in source("nlvr1").read(shared_data("nlvr1"), "dev")]
    assert sum(answers) / len(answers) == pytest.approx(0.553, abs=5e-4)


def test_easy_vqa_holds_out_whole_images_by_seed(shared_data: Shared) -> None:
    read = source("easy_vqa").read
    parts = [read(shared_data("easy_vqa"), split) for split in ("train", "validation", "test")]
    assert sum(map(len, parts)) == 38575
    images = [{e.info["image_id"] for e in part} for part in parts]
    assert [len(part) for part in images] == [3200, 400, 400]
    assert len(set.union(*images)) == 4000
    assert {e.info["image_id"] for e in read(shared_data("easy_vqa"), "test", seed=1)} != images[2]
    assert len({e.values["answer"] for e in parts[0]}) == 13
    assert images_open(parts[2])


def test_one_set_is_not_taken_for_another(shared_data: Shared, tmp_path: Path) -> None:
    shutil.copy(shared_data("coco_mini") / "vqa_overlap.json", tmp_path / "questions.json")
    with pytest.raises(DataError, match="is no easy-VQA question file"):
        source("easy_vqa").read(tmp_path, "train")
    shutil.copy(shared_data("vqa_x") / "vqaX_val.json", tmp_path / "val_balanced_questions.json")
    with pytest.raises(DataError, match=r"is no GQA question file: .* lacks 'imageId'"):
        source("gqa").read(tmp_path, "val")
    with pytest.raises(DataError, match="easy_vqa has no split 'dev'"):
        source("easy_vqa").read(tmp_path, "dev")
