"""NLVR's structured scenes as graphs."""

from __future__ import annotations

import json

from chiasm.data.graphs import read_graph
from chiasm.data.sources import source
from chiasm.data.sources._nlvr_graphs import graph_of
from tests.conftest import SharedData


def shape(x: int, y: int, kind: str = "square", color: str = "Yellow", size: int = 20) -> dict[str, object]:
    return {"x_loc": x, "y_loc": y, "type": kind, "color": color, "size": size}


TOWER = [shape(40, 80), shape(40, 59, color="#0099ff")]


def test_a_tower_is_a_tower() -> None:
    graph = graph_of([TOWER, [], []], (0, 150, 300))
    lower, upper = graph["objects"]["0-0"], graph["objects"]["0-1"]
    assert lower["attributes"] == ["yellow", "medium", "touching the bottom"]
    assert upper["attributes"] == ["blue", "medium"]
    assert [tuple(r.values()) for r in upper["relations"]] == [("in", "0"), ("above", "0-0"), ("touching", "0-0")]
    assert {"name": "below", "object": "0-1"} in lower["relations"]


def test_boxes_know_their_place_and_each_other() -> None:
    graph = graph_of([[], [], TOWER], (0, 150, 300))
    assert [graph["objects"][str(i)]["attributes"] for i in range(3)] == [["left"], ["middle"], ["right"]]
    assert graph["objects"]["1"]["relations"] == [
        {"name": "to the right of", "object": "0"},
        {"name": "to the left of", "object": "2"},
    ]
    assert graph["objects"]["2-0"]["x"] == 340


def test_shapes_of_different_boxes_are_related_only_through_them() -> None:
    graph = graph_of([TOWER, TOWER, []], (0, 150, 300))
    others = {r["object"].split("-")[0] for r in graph["objects"]["0-0"]["relations"]}
    assert others == {"0"}


def test_every_published_statement_has_its_graph(shared_data: SharedData) -> None:
    folder = shared_data("nlvr1")
    examples = source("nlvr1").read(folder, "dev", permutations=2, graphs=True, limit=50)
    lines = [json.loads(line) for line in (folder / "dev.jsonl").read_text().splitlines()[:50]]
    for number, example in enumerate(examples):
        boxes = lines[number // 2]["structured_rep"]
        graph = read_graph(example.values["graph"])
        assert len(graph.words) == 3 + sum(map(len, boxes))
        # The second picture shows the boxes in another order.
        order = [0, 1, 2] if number % 2 == 0 else [0, 2, 1]
        counts = [sum(i.startswith(f"{box}-") for i in graph.ids) for box in range(3)]
        assert counts == [len(boxes[i]) for i in order]
    assert "graph" not in source("nlvr1").read(folder, "dev", limit=1)[0].values
