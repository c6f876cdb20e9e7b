"""NLVR2, real and generated."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.data.distinct import image_stem
from chiasm.data.example import BadRows, DataError
from chiasm.data.regions import Preprocess
from chiasm.data.sources import source

from .written import images_open

Shared = Callable[..., Path]


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
