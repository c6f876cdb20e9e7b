"""NLVR and easy-VQA."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.data.example import BadRows
from chiasm.data.images import open_image
from chiasm.data.sources import source

from .written import images_open

Shared = Callable[..., Path]


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
