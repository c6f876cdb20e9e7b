"""Asking about scene graphs that a person brings: GQA's form, rows of a file, and a detector's boxes alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from chiasm.cli import main
from chiasm.data.example import DataError, Example, RowError
from chiasm.serve.limits import Limits
from chiasm.serve.predictor import Predictor
from chiasm.serve.received import received
from chiasm.serve.schemas import Row
from chiasm.tasks import Prediction
from chiasm.training.evaluate import evaluate
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


def test_malformed_graphs_leave_the_good_rows_answered(bundle: tuple[Path, list[Example]]) -> None:
    cube: dict[str, Any] = {"name": "cube", "attributes": [], "relations": [], "x": 1, "y": 1, "w": 5, "h": 5}
    graphs = [
        FOUND,
        {"objects": {"1": {**cube, "attributes": 3}}},
        {"width": "100", "height": 100, "objects": {"1": cube}},
        {"objects": {"1": {**cube, "x": math.nan}}},
        [{"label": "cube", "box": [-20, -20, 0, 0]}, {"label": "ball", "box": [-10, -10, 0, 0]}],
        {"objects": {"1": {**cube, "relations": None, "attributes": None}}},
    ]
    rows = [{"text": QUESTION, "graph": graph} for graph in graphs]
    answers = list(Predictor.load(bundle[0]).predict(rows, on_error="skip"))
    assert [isinstance(answer, Prediction) for answer in answers] == [True, False, False, False, True, True]


def test_a_csv_with_a_graph_column_needs_no_column_map(bundle: tuple[Path, list[Example]], tmp_path: Path) -> None:
    graph = bundle[1][0].values["graph"]
    asked = {QUESTION: FOUND, "What colour is the ball on the left?": graph}
    rows = [{"question": text, "graph": json.dumps(given)} for text, given in asked.items()]
    pd.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False)
    model = Predictor.load(bundle[0])
    answers = list(model.predict(tmp_path / "rows.csv"))
    alone = [model.predict(text=text, graph=given) for text, given in asked.items()]
    assert [a.probability for a in answers] == pytest.approx([a.probability for a in alone], abs=1e-5)  # type: ignore[union-attr]
    pd.DataFrame(rows).drop(columns="graph").to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(DataError, match="no column is the graph"):
        model.predict(tmp_path / "few.csv")


def test_the_verbs_take_a_file_with_one_graph(
    bundle: tuple[Path, list[Example]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph, broken = tmp_path / "scene.json", tmp_path / "broken.json"
    graph.write_text(json.dumps(FOUND))
    broken.write_text("{")

    def code(*words: object) -> int:
        with pytest.raises(SystemExit) as done:
            main([str(word) for word in words])
        return int(done.value.code or 0)

    asked = (bundle[0], "--text", QUESTION, "--graph")
    out = tmp_path / "answers.jsonl"
    assert code("predict", *asked, graph, "--out", out) == 0
    expected = Predictor.load(bundle[0]).predict(text=QUESTION, graph=FOUND).answer
    assert json.loads(out.read_text())["answer"] == expected
    assert code("explain", *asked, graph, "--method", "gradient_input", "--out", tmp_path / "why.html") == 0
    assert f"-> {expected}" in capsys.readouterr().out
    assert code("predict", *asked, broken, "--out", out) == 1
    assert "broken.json is no valid JSON" in capsys.readouterr().err
    assert code("predict", bundle[0], "--graph", graph, "--rows", "rows.csv") == 2


def test_the_service_takes_a_graph_or_detections(bundle: tuple[Path, list[Example]]) -> None:
    model = Predictor.load(bundle[0])
    graph = bundle[1][0].values["graph"]
    for given in (FOUND, graph):
        row = Row(text=QUESTION, graph=given)
        (answer,) = model.predict([received(row, Limits(), lambda _: None)])
        assert answer.answer == model.predict(text=QUESTION, graph=given).answer  # type: ignore[union-attr]
    error = received(Row(text=QUESTION, graph=FOUND * 3), Limits(boxes=5), lambda _: None)
    assert isinstance(error, RowError)
    assert "6 things in the scene graph; 5 are allowed" in error.reason


def test_unknown_names_are_told_once_and_move_no_answer(bundle: tuple[Path, list[Example]]) -> None:
    model = Predictor.load(bundle[0])
    odd = [{**FOUND[0], "attributes": ["red", "haunted"]}, FOUND[1]]
    with pytest.warns(UserWarning, match="1 of 8 distinct .* unknown to the model: 'haunted'"):
        answer = model.predict(text=QUESTION, graph=odd)
    assert answer.probability == pytest.approx(model.predict(text=QUESTION, graph=FOUND).probability, abs=1e-6)
    assert model.predict(text=QUESTION, graph=odd).answer == answer.answer  # and no second warning
    with pytest.warns(UserWarning, match="'haunted'"):
        evaluate(model.bundle, [Example("1", {"text": QUESTION, "graph": odd, "answer": "yes"})], show=False)


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
