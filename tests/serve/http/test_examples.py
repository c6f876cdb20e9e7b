"""Rows to try on the page, and bundles under their names."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from chiasm.data.example import DataError
from chiasm.serve.endpoints import Service
from chiasm.serve.examples import examples_of_file, examples_of_world, one_for_each_image
from chiasm.serve.predictor import Predictor
from chiasm.serve.served import Served, serve_all
from tests.serve.http.asking import closing
from tests.serve.small import QUESTIONS, picture


def image_of(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def test_examples_of_a_file_hold_pictures_and_no_paths(predictor: Predictor, tmp_path: Path) -> None:
    picture(0).save(tmp_path / "a.png")
    (tmp_path / "rows.csv").write_text(f"picture,question,answer\na.png,{QUESTIONS[0]},red\n")
    (found,) = examples_of_file(tmp_path / "rows.csv", predictor.bundle)
    assert (found["text"], found["expected"]) == (QUESTIONS[0], "red")
    assert image_of(found["images"][0]).tobytes() == picture(0).tobytes()
    assert str(tmp_path) not in str(found)


def test_a_picture_that_is_not_there_is_an_error_at_the_start(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("picture,question\nno.png,What is it?\nno2.png,What is it now?\n")
    with pytest.raises(DataError, match=r"no\.png"):
        examples_of_file(tmp_path / "rows.csv", predictor.bundle)


def test_generated_examples_can_be_asked_and_have_right_answers(bundle_folder: Path) -> None:
    (served,) = serve_all([bundle_folder])
    tried = examples_of_world(served.predictor.bundle, count=6)
    assert len(tried) == 6
    assert len({row["images"][0] for row in tried}) == 6
    assert all(row["expected"] for row in tried)
    with closing(Service([Served(served.name, served.predictor, tuple(tried))])) as client:
        (described,) = client.get("/bundles").json()["bundles"]
        assert (described["generated"], described["examples"]) == (True, 6)
        assert described["measured"]["metric"] == "accuracy"
        asked = [
            {key: row[key] for key in ("id", "text", "images")} for row in client.get("/examples").json()["examples"]
        ]
        answers = client.post("/predict", {"rows": asked}).json()["answers"]
    assert all("answer" in one for one in answers)


def test_a_bundle_without_a_world_has_no_generated_examples(predictor: Predictor) -> None:
    assert examples_of_world(predictor.bundle) == []


def test_one_example_for_each_picture(rows: list) -> None:  # type: ignore[type-arg]
    assert one_for_each_image([*rows, *rows]) == rows


def test_bundles_of_the_same_recipe_get_names_of_their_own(bundle_folder: Path) -> None:
    found = serve_all([bundle_folder, f"second={bundle_folder}", bundle_folder])
    assert [one.name for one in found] == ["demo", "second", "demo-2"]
