"""`chiasm demo`: the files it leaves, and that its baselines are what they are said to be."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

import chiasm.training.recipe
from chiasm.cli._demo import MAJORITY, QUESTION_ONLY, SHUFFLED, Demo, question_only, shuffle_images
from chiasm.data.example import Example
from chiasm.metrics.estimate import share
from chiasm.models import lxmert
from chiasm.training.bundle import Bundle
from chiasm.training.recipe import Recipe

Chiasm = Callable[..., int]


@pytest.fixture
def tiny_demo(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """`chiasm demo` on the tiny recipe."""
    monkeypatch.setattr(chiasm.training.recipe, "load_recipe", lambda name: recipe)


@pytest.mark.usefixtures("tiny_demo")
def test_demo_leaves_a_report_a_bundle_and_the_documented_metrics(
    chiasm: Chiasm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert chiasm("demo", "--out", out, "--examples", 2) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    numbers = {key: metrics[key] for key in ("accuracy", "question_only", "majority", "shuffled_images")}
    numbers.update(metrics["accuracy_by_type"])
    assert len(numbers) > 8
    for name, number in numbers.items():
        assert 0 <= number["low"] <= number["value"] <= number["high"] <= 1, name
    page = (out / "report.html").read_text()
    assert "generated" in page.lower()
    for name in (QUESTION_ONLY, MAJORITY, SHUFFLED):
        assert name in page
    assert Bundle.load(out / "bundle").recipe.name == "demo"
    shown = capsys.readouterr().out
    assert "all questions" in shown
    assert "query_relation" in shown
    assert f"written: {out / 'report.html'}" in shown

    assert chiasm("report", out, "--examples", 0, "--out", tmp_path / "again.html") == 0
    assert chiasm("demo", "--out", out, "--resume", "--examples", 0) == 0
    again = json.loads((out / "metrics.json").read_text())
    assert {key: again[key] for key in ("accuracy", "question_only", "shuffled_images")} == {
        key: metrics[key] for key in ("accuracy", "question_only", "shuffled_images")
    }


def test_demo_does_not_write_over_another_run(
    chiasm: Chiasm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.toml").write_text('name = "mine"')
    assert chiasm("demo", "--out", tmp_path) == 1
    assert "holds another run" in capsys.readouterr().err


def questions_about(pictures: int, each: int) -> list[Example]:
    return [
        Example(
            f"{i}-{k}", {"text": f"question {k}", "images": (f"{i}.png",), "boxes": ([[i, 0, 9, 9]],), "answer": "yes"}
        )
        for i in range(pictures)
        for k in range(each)
    ]


def test_shuffling_gives_every_question_another_picture_with_its_boxes() -> None:
    before = questions_about(pictures=7, each=3)
    after = shuffle_images(before, seed=3)
    for old, new in zip(before, after, strict=True):
        assert new.values["images"] != old.values["images"]
        assert new.values["images"] == (f"{new.values['boxes'][0][0][0]}.png",)
        assert (new.id, new.values["text"], new.values["answer"]) == (old.id, old.values["text"], old.values["answer"])
    counts = [sum(e.values["images"] == (f"{i}.png",) for e in after) for i in range(7)]
    assert counts == [3] * 7


def test_shuffling_a_single_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="single image"):
        shuffle_images(questions_about(pictures=1, each=3), seed=0)


def test_the_question_only_recipe_prepares_no_picture_and_keeps_everything_else(recipe: Recipe) -> None:
    blind = question_only(recipe)
    assert set(blind.streams) == set(recipe.streams) - {"regions"}
    assert blind.options == {**recipe.options, "use_images": False}
    assert "use_images" in lxmert.Config.__dataclass_fields__
    assert blind.training.epochs == recipe.training.epochs


def test_a_type_without_cases_in_the_table_is_a_dash() -> None:
    metrics = {"accuracy": share(3, 4), "accuracy/detailed/exist": share(0, 0)}
    demo = Demo(metrics, {QUESTION_ONLY: metrics, MAJORITY: metrics, SHUFFLED: metrics}, "accuracy")
    assert math.isnan(demo.to_json()["accuracy_by_type"]["exist"]["value"])
    assert "no cases" in demo.table().to_text()
