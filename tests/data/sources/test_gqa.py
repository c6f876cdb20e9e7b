"""GQA, real and generated."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from chiasm.data.distinct import image_stem
from chiasm.data.example import DataError
from chiasm.data.regions import Preprocess
from chiasm.data.sources import source

from .written import dump, images_open

Shared = Callable[..., Path]


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
    with pytest.raises(DataError, match=r"row q1: image n1 has no scene graph .* none for testdev"):
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
