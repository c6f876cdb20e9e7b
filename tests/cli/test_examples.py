"""What a model of whole images and choices answered: shown on a page, explained over patches, for new rows too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.data.example import Example
from chiasm.data.sources.vcr import read
from chiasm.explain.explanation import explain_example
from chiasm.report.page import render_explanations
from chiasm.serve.predictor import Predictor
from chiasm.training.bundle import Bundle
from chiasm.training.data import world_folder
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import train


@pytest.fixture(scope="module")
def vcr() -> Recipe:
    return load_recipe("vit_bert_vcr").tiny().with_settings(["training.epochs=2"])


@pytest.fixture(scope="module")
def run(vcr: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "vcr"
    train(vcr, out=folder, show=False)
    return folder


@pytest.fixture(scope="module")
def rows(vcr: Recipe) -> list[Example]:
    return read(world_folder(vcr, show=False), "val")


def test_examples_are_shown_with_what_was_said_and_what_is_true(
    run: Path, chiasm: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert chiasm("examples", run / "bundle", "--limit", 3, "--out", page) == 0
    text = page.read_text()
    assert text.count("<article") == 3
    assert text.count("answers (bold: said, ✓: true)") == 3
    assert text.count(" ✓</li>") + text.count(" ✓") >= 6
    assert capsys.readouterr().out.count("(true: ") == 3


def test_answers_of_a_file_are_shown_without_asking_the_model(
    run: Path, chiasm: Callable[..., int], tmp_path: Path
) -> None:
    page, answers = tmp_path / "page.html", run / "predictions" / "validation.jsonl"
    assert chiasm("examples", run / "bundle", "--predictions", answers, "--limit", 2, "--out", page) == 0
    assert page.read_text().count("<article") == 2


def test_an_answer_is_explained_over_the_patches(run: Path, rows: list[Example]) -> None:
    explanation = explain_example(Bundle.load(run / "bundle"), rows[0], random_orders=2)
    (view,) = explanation.views
    assert view.patches
    assert len(view.boxes) == 16
    assert explanation.main is not None
    assert len(explanation.region_relevance(explanation.main)) == 16
    assert "images" in explanation.main.faithfulness
    page = render_explanations([explanation])
    assert "with 16 patches" in page
    assert "patches look at patches" in page


def test_a_new_question_gets_a_rationale_for_the_answer_said(run: Path, rows: list[Example]) -> None:
    values = rows[0].values
    prediction = Predictor.load(run / "bundle").predict(
        image=values["images"][0], text="What color is it?", choices=values["choices"], rationales=values["rationales"]
    )
    assert prediction.answer in range(4)
    assert len(prediction.heads["rationale"]["probabilities"]) == 4
    assert prediction.heads["rationale"]["number"] in range(4)


def test_the_leaderboards_file_is_written_for_rows_without_labels(
    run: Path, rows: list[Example], tmp_path: Path
) -> None:
    from chiasm.training.predict import predict

    bundle = Bundle.load(run / "bundle")
    unlabelled = [Example(r.id, {**r.values, "answer": None, "rationale": None}) for r in rows[:3]]
    answers = predict(bundle.model, bundle.task, bundle.dataset(unlabelled))
    bundle.task.submission(answers, tmp_path / "vcr.csv")
    assert len((tmp_path / "vcr.csv").read_text().splitlines()) == 4


def test_a_row_without_choices_is_refused_by_its_name(run: Path) -> None:
    from PIL import Image

    from chiasm.data.example import RowError

    with pytest.raises(RowError, match="row 1: the row has no 'choices'"):
        Predictor.load(run / "bundle").predict(image=Image.new("RGB", (40, 30)), text="what?")
