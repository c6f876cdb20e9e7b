"""What a folder of data is: recognised by reading it, counted, and what is missing named with who needs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chiasm.data.example import DataError
from chiasm.report.data_check import render_check
from chiasm.synth import generate
from chiasm.training.data_check import Found, check, plain

from ..conftest import SharedData


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """GQA's format, three splits of a few pictures."""
    options = {"scenes": 4, "val_scenes": 2, "test_scenes": 2, "formats": ["gqa"]}
    return generate("scenes", tmp_path / "world", workers=1, progress=False, **options)


def only(folder: Path) -> Found:
    (found,) = check(folder).found
    return found


def test_a_data_set_is_recognised_and_counted(world: Path) -> None:
    found = only(world)
    assert found.source == "gqa"
    train = next(split for split in found.splits if split.name == "train")
    questions = json.loads((world / "questions" / "train_balanced_questions.json").read_text())
    assert train.examples == train.answered == len(questions)
    assert (train.images, train.images_missing) == (4, 0)
    assert len(train.shown) == 3
    assert found.options["boxes"] == found.options["graphs"] == ""
    assert "testdev" in found.absent


def test_what_is_missing_is_named_with_the_recipes_that_need_it(world: Path) -> None:
    whole = only(world)
    assert whole.recipes["demo"] == ""
    (world / "questions" / "test_balanced_questions.json").unlink()
    for file in (world / "sceneGraphs").iterdir():
        file.unlink()
    questions = json.loads((world / "questions" / "train_balanced_questions.json").read_text())
    (world / "images" / f"{next(iter(questions.values()))['imageId']}.png").unlink()
    found = only(world)
    assert "sceneGraphs/train_sceneGraphs.json" in found.options["boxes"]
    assert found.recipes["demo"].startswith("no split test; boxes: found no file with the scene graphs")
    assert "1 images are not there (or give a feature store)" in found.recipes["demo"]


def test_a_part_of_a_data_set_is_told(world: Path, tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (world / "sceneGraphs").rename(tmp_path / "part" / "sceneGraphs")
    checked = check(tmp_path / "part")
    assert not checked.found
    assert any(
        hint.startswith("a part of 'gqa': it has sceneGraphs/*_sceneGraphs.json, and lacks questions/")
        for hint in checked.hints
    )


def test_pictures_stores_bundles_rows_and_nothing_are_told(world: Path, tmp_path: Path) -> None:
    assert check(world / "images").hints[0].startswith("8 pictures without questions")
    for name, what in (("store.json", "a feature store"), ("manifest.json", "a trained model's bundle")):
        folder = tmp_path / name.removesuffix(".json")
        folder.mkdir()
        (folder / name).write_text("{}")
        assert check(folder).hints[0].startswith(what)
    (tmp_path / "rows.csv").write_text("text,answer\ngood,yes\nbad,no\n")
    assert only(tmp_path / "rows.csv").source == "rows"
    (tmp_path / "empty").mkdir()
    assert check(tmp_path / "empty").hints == ()
    with pytest.raises(DataError, match="does not exist"):
        check(tmp_path / "none")


def test_the_page_shows_three_examples_with_their_pictures(world: Path) -> None:
    page = render_check(check(world))
    assert page.count('<img src="data:image/') == 9  # of train, val and test
    assert "<h2>gqa</h2>" in page
    assert "http" not in page.split("</style>")[1]
    record = plain(check(world))
    assert json.loads(json.dumps(record))["found"][0]["source"] == "gqa"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "source"), [("easy_vqa", "easy_vqa"), ("multi30k", "translation"), ("nlvr1", "nlvr1")]
)
def test_real_data_sets_are_recognised(shared_data: SharedData, name: str, source: str) -> None:
    assert check(shared_data(name)).found[0].source == source
