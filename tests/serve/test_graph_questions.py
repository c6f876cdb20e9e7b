"""Asking about scene graphs that a person brings: GQA's form, rows of a file, and a detector's boxes alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chiasm.cli import main
from chiasm.data.example import Example, RowError
from chiasm.serve.predictor import Predictor
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train

FOUND = [
    {"label": "cube", "attributes": ["red"], "score": 0.9, "box": {"xmin": 10, "ymin": 10, "xmax": 30, "ymax": 30}},
    {"label": "ball", "box": [60, 12, 80, 32]},
]
QUESTION = "Is the cube to the left of the ball?"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Example]]:
    recipe = load_recipe("graphvqa_world").tiny().with_settings(["training.epochs=1"])
    result = train(recipe, out=tmp_path_factory.mktemp("graphvqa") / "run", show=False)
    return result.out / "bundle", result.splits["test"].examples[:3]


def test_a_detectors_boxes_are_enough_to_ask(bundle: tuple[Path, list[Example]]) -> None:
    answer = Predictor.load(bundle[0]).predict(text=QUESTION, graph=FOUND)
    assert isinstance(answer.answer, str)
    assert 0 < answer.probability <= 1


def test_a_graph_of_gqas_form_is_answered_as_in_training(bundle: tuple[Path, list[Example]]) -> None:
    folder, examples = bundle
    model = Predictor.load(folder)
    values = examples[0].values
    alone = model.predict(text=values["text"], graph=values["graph"])
    as_text = model.predict(text=values["text"], graph=json.dumps(values["graph"]))
    assert (alone.answer, alone.probability) == (as_text.answer, as_text.probability)


def test_rows_of_a_file_have_a_graph_each(bundle: tuple[Path, list[Example]], tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows: list[dict[str, Any]] = [{"question": QUESTION, "graph": FOUND}, {"question": QUESTION, "graph": {"nodes": 1}}]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    first, second = Predictor.load(bundle[0]).predict(
        file, columns={"question": "text", "graph": "graph"}, on_error="skip"
    )
    assert 0 < first.probability <= 1  # type: ignore[union-attr]
    assert "no scene graph" in second.reason  # type: ignore[union-attr]


def test_a_question_without_a_graph_says_what_is_missing(bundle: tuple[Path, list[Example]]) -> None:
    with pytest.raises(RowError, match="the row has no 'graph'"):
        Predictor.load(bundle[0]).predict(text=QUESTION)


def test_the_verb_draws_and_scores_paths(
    bundle: tuple[Path, list[Example]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["paths", str(bundle[0]), "--limit", "20", "--draw", "1", "--out", str(tmp_path / "paths")])
    assert not done.value.code
    shown = capsys.readouterr().out
    assert "gold_path" in shown
    assert " > " in shown
    record = json.loads((tmp_path / "paths" / "paths.json").read_text())
    assert len(record["paths"]) == 20
    assert 0 <= record["scores"]["gold_path"]["value"] <= 1
    assert len(list((tmp_path / "paths").glob("*.png"))) == 1
