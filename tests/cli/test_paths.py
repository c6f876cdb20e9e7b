"""`chiasm paths`: it draws whatever graphs it is given, and scores what has gold programs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chiasm.training.data import world_folder
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train

Chiasm = Callable[..., int]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = load_recipe("graphvqa_world").tiny().with_settings(["training.epochs=1"])
    return train(recipe, out=tmp_path_factory.mktemp("graphvqa") / "run", show=False).out / "bundle"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(world_folder(load_recipe("graphvqa_world").tiny(), show=False), folder)
    return folder


def change(file: Path, changed: Callable[[str, dict[str, Any]], Any]) -> None:
    content = json.loads(file.read_text())
    file.write_text(json.dumps({name: changed(name, entry) for name, entry in content.items()}))


def drawn(out: Path) -> tuple[dict[str, Any], int]:
    """What paths.json says, and how many pictures there are."""
    return json.loads((out / "paths.json").read_text()), len(list(out.glob("*.png")))


def test_questions_without_programs_are_drawn_and_not_scored(
    chiasm: Chiasm, bundle: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = data / "questions" / "test_balanced_questions.json"
    change(questions, lambda _, q: {key: q[key] for key in ("question", "imageId", "answer")})
    words = ("--data", data, "--limit", 5, "--draw", 2, "--out", tmp_path / "out")
    assert chiasm("paths", bundle, *words) == 0
    record, pictures = drawn(tmp_path / "out")
    assert (record["scores"], len(record["paths"]), pictures) == ({}, 5, 2)
    assert "no gold programs: not scored" in capsys.readouterr().out


def test_predicted_graphs_are_drawn_and_what_they_lack_is_counted(
    chiasm: Chiasm, bundle: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(_: str, graph: dict[str, Any]) -> dict[str, Any]:
        things = [{k: v for k, v in t.items() if k != "relations"} for t in graph["objects"].values()]
        return {**graph, "objects": {f"found {i}": thing for i, thing in enumerate(things)}}

    change(data / "sceneGraphs" / "test_sceneGraphs.json", found)
    words = ("--data", data, "--limit", 6, "--draw", 1, "--out", tmp_path / "out")
    assert chiasm("paths", bundle, *words) == 0
    record, pictures = drawn(tmp_path / "out")
    assert (record["scores"], len(record["paths"]), pictures) == ({}, 6, 1)
    told = capsys.readouterr().out
    assert "no gold programs: not scored" in told
    assert f"{len(record['not_grounded'])} questions name an object that their graph lacks" in told
    assert record["not_grounded"]


def test_a_question_without_a_graph_is_left_out_on_request(
    chiasm: Chiasm, bundle: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graphs = data / "sceneGraphs" / "test_sceneGraphs.json"
    content = json.loads(graphs.read_text())
    gone = next(iter(content))
    graphs.write_text(json.dumps({name: graph for name, graph in content.items() if name != gone}))
    words = ("--data", data, "--draw", 0, "--out", tmp_path / "out")
    assert chiasm("paths", bundle, *words) == 1
    assert f"image {gone} has no scene graph" in capsys.readouterr().err
    assert chiasm("paths", bundle, *words, "--on-error", "skip") == 0
    assert f"image {gone} has no scene graph" in capsys.readouterr().out
    assert "gold_path" in drawn(tmp_path / "out")[0]["scores"]


def test_a_persons_rows_are_drawn(
    chiasm: Chiasm, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cube = {"label": "cube", "attributes": ["red"], "box": [10, 10, 30, 30]}
    rows = [
        {
            "id": "kitchen/1",
            "question": "Is there a cube?",
            "graph": [cube, {"label": "ball", "box": [60, 12, 80, 32]}],
        },
        {"id": "kitchen/2", "question": "Is there a cube?", "graph": {"objects": {"a": {"name": "cube"}}}},
        {"id": "kitchen/3", "question": "Is there a cube?", "graph": {"things": 3}},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    words = ("paths", bundle, "--rows", file, "--column", "question=text", "--out", tmp_path / "out")
    assert chiasm(*words, "--data", tmp_path) == 2
    assert chiasm(*words) == 1
    assert "kitchen/3" in capsys.readouterr().err
    assert chiasm(*words, "--on-error", "skip") == 0
    record, pictures = drawn(tmp_path / "out")
    assert [path["id"] for path in record["paths"]] == ["kitchen/1"]
    assert record["paths"][0]["nodes"][0]["words"] == ["cube", "red"]
    assert pictures == 1


def test_rows_without_a_graph_say_what_is_missing(
    chiasm: Chiasm, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.csv").write_text("text\nIs there a cube?\n")
    assert chiasm("paths", bundle, "--rows", tmp_path / "rows.csv") == 1
    assert "graph" in capsys.readouterr().err
