"""Relations from boxes: planted places are found, the generated world's gold relations nearly all, bad boxes named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import chiasm.synth
from chiasm.data.geometry import Detection, related, things_of
from chiasm.data.graphs import read_graph


def relations(*boxes: tuple[float, float, float, float], size: float = 100) -> set[tuple[int, int, str]]:
    return set(related([Detection("it", box) for box in boxes], width=size, height=size))


def test_sides_are_told_by_centres_further_apart_than_the_margin() -> None:
    assert relations((0, 40, 10, 50), (30, 40, 40, 50)) == {(0, 1, "to the left of"), (1, 0, "to the right of")}
    assert relations((40, 0, 50, 10), (40, 50, 50, 60)) == {(0, 1, "above"), (1, 0, "below")}
    assert relations((40, 40, 50, 50), (46, 40, 56, 50)) == set()


def test_inside_and_on_are_told_from_each_other() -> None:
    assert (0, 1, "inside") in relations((40, 40, 50, 50), (30, 30, 70, 70))
    cup_on_table = relations((40, 30, 50, 50), (20, 51, 80, 80))
    assert (0, 1, "on") in cup_on_table
    assert not any(name == "inside" for _, _, name in cup_on_table)
    beside = relations((0, 30, 10, 50), (20, 51, 80, 80))
    assert not any(name == "on" for _, _, name in beside)


def test_a_detectors_list_becomes_a_graph() -> None:
    found = [
        {"label": "cat", "score": 0.9, "box": {"xmin": 0, "ymin": 0, "xmax": 10, "ymax": 10}},
        {"name": "dog", "box": [50, 0, 60, 10], "attributes": ["red"]},
    ]
    graph = read_graph(found)
    assert graph.words == (("cat",), ("dog", "red"))
    assert (0, 1, "to the left of", False) in [tuple(e) for e in graph.edges]


def test_objects_without_relations_get_them_from_boxes() -> None:
    cat, dog = ({"name": name, "x": x, "y": 0, "w": 9, "h": 9} for name, x in (("cat", 0), ("dog", 50)))
    objects = {"1": cat, "2": dog}
    graph = read_graph({"width": 100, "height": 100, "objects": objects})
    assert {e.relation for e in graph.edges} == {"<self>", "to the left of", "to the right of"}
    assert graph.boxes[1] == pytest.approx((0.5, 0.0, 0.59, 0.09))


def test_boxes_may_take_the_place_of_gold_relations() -> None:
    cat, dog = ({"name": name, "x": x, "y": 0, "w": 9, "h": 9} for name, x in (("cat", 0), ("dog", 50)))
    objects = {"1": {**cat, "relations": [{"name": "chasing", "object": "2"}]}, "2": dog}
    graph = {"width": 100, "height": 100, "location": "snow", "objects": objects}
    assert "chasing" in {e.relation for e in read_graph(graph).edges}
    seen = read_graph(graph, from_boxes=True, location=True)
    assert {e.relation for e in seen.edges} == {"<self>", "to the left of", "to the right of"}
    assert seen.ids == ("1", "2", "location")


def test_boxes_left_of_and_above_the_picture_are_related_too() -> None:
    found = read_graph([{"label": "a", "box": [-20, -20, 0, 0]}, {"label": "b", "box": [-10, -10, 0, 0]}])
    assert (1, 0, "inside", False) in [tuple(e) for e in found.edges]
    assert found.boxes == ((0.0,) * 4,) * 2


def test_an_attribute_that_is_given_twice_counts_once() -> None:
    (thing,) = things_of({"objects": [{"label": "a", "attributes": ["red", "big", "red"], "box": [0, 0, 1, 1]}]})
    assert thing.attributes == ("red", "big")


def test_no_things_have_no_relations() -> None:
    assert related([]) == []
    assert things_of({"objects": []}) == []


def test_the_worlds_gold_relations_are_found_from_its_boxes(tmp_path: Path) -> None:
    """Sides exactly; "inside" and "on" as far as boxes tell; "holding" cannot be seen in boxes."""
    options = {"scenes": 40, "val_scenes": 20, "test_scenes": 20, "questions": 1, "formats": ["gqa"]}
    folder = chiasm.synth.generate("scenes", tmp_path / "world", seed=3, progress=False, **options)
    graphs = json.loads((folder / "sceneGraphs" / "train_sceneGraphs.json").read_text())
    gold: set[tuple[str, int, int, str]] = set()
    found: set[tuple[str, int, int, str]] = set()
    for image, entry in graphs.items():
        places = {name: place for place, name in enumerate(sorted(entry["objects"]))}
        gold |= {
            (image, places[a], places[r["object"]], r["name"])
            for a, thing in entry["objects"].items()
            for r in thing["relations"]
        }
        found |= {(image, *r) for r in related(things_of(entry), width=entry["width"], height=entry["height"])}
    for name in ("to the left of", "to the right of", "above", "below"):
        assert {r for r in found if r[3] == name} == {r for r in gold if r[3] == name}
    for name in ("inside", "on"):
        one, other = {r for r in found if r[3] == name}, {r for r in gold if r[3] == name}
        assert len(one & other) >= 0.95 * len(other) > 0
        assert len(one & other) >= 0.9 * len(one)
