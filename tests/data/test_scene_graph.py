"""Scene graphs: GQA's format as the released code builds it, bad ones named, boxes instead of relations."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from chiasm.batch import SceneGraph
from chiasm.data.example import BadRows, DataError, Example, RowError
from chiasm.data.graphs import GraphError, read_graph
from chiasm.data.scene_graph import Preprocess
from tests.conftest import SharedData


def thing(name: str, *relations: tuple[str, str], attributes: Any = ()) -> dict[str, Any]:
    found = [{"name": word, "object": other} for word, other in relations]
    return {"name": name, "attributes": list(attributes), "relations": found, "x": 10, "y": 20, "w": 30, "h": 40}


GRAPH = {
    "width": 100,
    "height": 200,
    "location": "outdoors",
    "objects": {
        "20": thing("cat", ("on", "3"), ("near", "1"), attributes=["red", "small", "red"]),
        "3": thing("table"),
        "1": thing("dog", ("to the left of", "20")),
    },
}


def example(graph: Any, name: str = "1") -> Example:
    return Example(name, {"graph": graph}, origin=f"rows, line {name}")


def test_edges_are_a_loop_then_each_relation_and_its_reverse_where_there_is_none() -> None:
    graph = read_graph(GRAPH)
    assert graph.ids == ("1", "20", "3")  # sorted as text
    assert graph.words == (("dog",), ("cat", "red", "small"), ("table",))
    assert [tuple(edge) for edge in graph.edges] == [
        (0, 0, "<self>", False),
        (0, 1, "to the left of", False),  # the cat is near the dog, so there is a way back
        (1, 1, "<self>", False),
        (1, 2, "on", False),
        (2, 1, "on", True),
        (1, 0, "near", False),
        (2, 2, "<self>", False),
    ]


def test_two_relations_between_the_same_things_are_two_edges_and_both_are_reversed() -> None:
    graph = read_graph({"objects": {"1": thing("a", ("on", "2"), ("near", "2")), "2": thing("b")}})
    ends = [(e.source, e.target, e.is_reversed) for e in graph.edges if e.relation != "<self>"]
    assert ends == [(0, 1, False), (1, 0, True), (0, 1, False), (1, 0, True)]


def test_an_empty_graph_becomes_two_unknown_nodes() -> None:
    graph = read_graph({"objects": {}})
    assert graph.words == (("<unk>",), ("<unk>",))
    assert [tuple(edge)[:2] for edge in graph.edges] == [(0, 0), (1, 1)]


def test_the_place_is_a_node_only_when_asked_for() -> None:
    assert all(words != ("outdoors",) for words in read_graph(GRAPH).words)
    graph = read_graph(GRAPH, location=True)
    assert graph.words[-1] == ("outdoors",)
    assert [tuple(e)[:3] for e in graph.edges if 3 in e[:2]] == [(3, 3, "<self>")]


def test_boxes_are_shares_of_the_picture() -> None:
    assert read_graph(GRAPH).boxes[0] == pytest.approx((0.1, 0.1, 0.4, 0.3))


def test_a_graph_may_come_as_json_text() -> None:
    assert read_graph(json.dumps(GRAPH)) == read_graph(GRAPH)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ("{", "no valid JSON"),
        ({"nodes": []}, "no scene graph: an object with 'objects'"),
        (7, "no scene graph"),
        ({"objects": {"1": {"x": 1}}}, "object 1 has no name"),
        ({"objects": {"1": {"name": "cat", "relations": [{"name": "on"}]}}}, "needs 'name' and 'object'"),
        ({"objects": {"1": thing("cat", ("on", "9"))}}, "1 is 'on' 9"),
        ({"objects": {"1": {"name": "cat", "attributes": "red", "relations": []}}}, "a list is expected"),
        ({"objects": {"1": {"name": "cat"}}}, "no box that can be read"),
        ([{"label": "cat", "box": [5, 5, 5, 9]}], "has no area"),
        ([{"box": [5, 5, 6, 9]}], "thing 1 has no name"),
        (["cat"], "an object with name and box"),
        ("[" * 100_000, "too deep"),
        ({"objects": {"1": {**thing("cat"), "attributes": 3}}}, "object 1: attributes are 3; a list is expected"),
        ({"objects": {"1": {**thing("cat"), "relations": 3}}}, "object 1: relations are 3; a list is expected"),
        ({"objects": {"1": {**thing("cat"), "relations": {"on": "1"}}}}, "a list is expected"),
        ({"objects": {"1": thing("cat", ("on", None))}}, "needs 'name' and 'object'"),  # type: ignore[arg-type]
        ({"objects": {"1": {**thing("cat"), "x": math.nan}}}, "object 1: x is nan; a finite number is expected"),
        ({"objects": {"1": {**thing("cat"), "h": "40"}}}, "object 1: h is '40'; a finite number"),
        ({"width": "100", "height": 100, "objects": {"1": thing("cat")}}, "the picture's width is '100'"),
        ({"width": 100, "height": [1], "objects": {"1": thing("cat")}}, "the picture's height is"),
        ({"width": -100, "height": 100, "objects": {"1": thing("cat")}}, "width is -100"),
        ([{"label": "cat", "attributes": 3, "box": [1, 2, 3, 4]}], "thing 1: attributes are 3; a list is expected"),
        ([{"label": "cat", "box": [1, math.nan, 3, 4]}], "no box that can be read"),
        ([{"label": "cat", "box": [1, 2, math.inf, 4]}], "no box that can be read"),
        ([{"label": "cat", "box": [1, 2, 10**400, 4]}], "no box that can be read"),
        ([{"label": "cat", "box": 7}], "no box that can be read"),
    ],
)
def test_what_is_no_graph_is_refused_with_the_reason(graph: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        read_graph(graph)


def test_null_is_what_is_absent() -> None:
    bare = {"name": "cat", "attributes": None, "relations": None, "x": None, "y": 1, "w": None, "h": 1}
    dog = thing("dog", ("near", "1"), attributes=[None, "red"])
    graph = read_graph({"width": None, "height": 100, "objects": {"1": bare, "2": dog}})
    assert graph.words == (("cat",), ("dog", "red"))
    assert graph.boxes[0] == (0.0, 0.0, 0.0, 0.0)
    boxes = [{"label": "cat", "attributes": None, "box": [0, 0, 1, 1]}]
    assert read_graph(boxes).words == (("cat",),)


def test_objects_whose_relations_are_null_get_them_from_their_boxes() -> None:
    objects = {name: {**thing("cat"), "x": x, "relations": None} for name, x in (("1", 0), ("2", 60))}
    graph = read_graph({"width": 100, "height": 100, "objects": objects})
    assert {e.relation for e in graph.edges} == {"<self>", "to the left of", "to the right of"}


def test_ids_that_are_numbers_are_sorted_as_text() -> None:
    boxes = {10: thing("cat"), "2": thing("dog"), 1: thing("cow")}
    for graph in ({"objects": boxes}, {"objects": {k: {**v, "relations": None} for k, v in boxes.items()}}):
        assert read_graph(graph).ids == ("1", "10", "2")
        assert read_graph(graph).words == (("cow",), ("cat",), ("dog",))


def test_a_row_whose_cell_is_empty_has_no_graph() -> None:
    for empty in (None, math.nan, ""):
        with pytest.raises(RowError, match="the row has no scene graph"):
            Preprocess().fit([example(empty)])


def test_a_wrong_relation_is_a_graph_error() -> None:
    with pytest.raises(GraphError):
        read_graph({"objects": {"1": thing("cat", ("on", "9"))}})


def test_bad_rows_are_named_all_at_once() -> None:
    rows = [example(GRAPH, "1"), example(None, "2"), example({"objects": {"1": {}}}, "3")]
    with pytest.raises(BadRows) as found:
        Preprocess().fit(rows)
    assert [error.row_id for error in found.value.rows] == ["2", "3"]
    assert "the row has no scene graph" in str(found.value)
    with pytest.raises(RowError, match="line 2, row 2"):
        Preprocess().fit(rows[:1]).encode(rows[1:2])


def test_each_distinct_graph_is_encoded_once_and_words_never_seen_are_unknown() -> None:
    other = {"objects": {"1": thing("unicorn", attributes=["red"])}}
    rows = [example(GRAPH, "1"), example(GRAPH, "2"), example(other, "3")]
    preprocess = Preprocess(max_words=2).fit(rows[:2])
    assert preprocess.facts == {"graph_vocab_size": len(preprocess.numbers)}
    column = preprocess.encode(rows)
    assert column.lengths().tolist() == [3, 3, 1]
    stream = column.gather(torch.tensor([2, 0, 1]))
    assert isinstance(stream, SceneGraph)
    assert stream.index is not None
    assert stream.index.tolist() == [[1], [0], [0]]
    assert stream.node_mask.tolist() == [[True] * 3, [True, False, False]]
    known = preprocess.numbers
    assert stream.node_ids[0].tolist() == [[known["dog"], 0], [known["cat"], known["red"]], [known["table"], 0]]
    assert stream.node_ids[1, 0].tolist() == [known["<unk>"], known["red"]]
    assert stream.edge_reversed is not None
    assert stream.edge_reversed[0].tolist() == [False, False, False, False, True, False, False]
    assert stream.edge_ids[0, 4].tolist() == [known["on"]]
    assert int(stream.edge_mask[1].sum()) == 1


def test_what_is_unknown_is_counted_with_examples() -> None:
    preprocess = Preprocess().fit([example(GRAPH)])
    assert preprocess.encode([example(GRAPH)]).notes() == []
    names = ["unicorn", "griffin", "dragon", "troll", "elf", "ork"]
    graph = {"objects": {name: thing(name, ("chases", "elf"), attributes=["red"]) for name in names}}
    (note,) = preprocess.encode([example(graph), example(GRAPH)]).notes()
    # 3 names, 2 attributes and 3 relations are known; 6 names and a relation are not
    assert note.startswith("7 of 15 distinct names, attributes and relations of the graphs are unknown to the model: ")
    assert note.endswith("'chases', 'dragon', 'elf', 'griffin', 'ork', ...")


def test_the_vocabulary_travels(tmp_path: Path) -> None:
    preprocess = Preprocess(location=True).fit([example(GRAPH)])
    preprocess.save(tmp_path)
    loaded = Preprocess.load(tmp_path)
    assert (loaded.numbers, loaded.options) == (preprocess.numbers, preprocess.options)
    before, after = (p.encode([example(GRAPH)]).gather(torch.tensor([0])) for p in (preprocess, loaded))
    assert torch.equal(before.node_ids, after.node_ids)


def test_without_a_vocabulary_nothing_is_encoded() -> None:
    with pytest.raises(DataError, match="no vocabulary yet"):
        Preprocess().encode([example(GRAPH)])


def test_gqas_graphs_are_read_as_published(shared_data: SharedData) -> None:
    file = shared_data("gqa_sample") / "debug_sceneGraphs.json"
    official = json.loads(file.read_text())
    for entry in official.values():
        graph = read_graph(entry)
        things = entry["objects"]
        given = sum(len(t["relations"]) for t in things.values())
        pairs = {(a, r["object"]) for a, t in things.items() for r in t["relations"]}
        alone = sum((r["object"], a) not in pairs for a, t in things.items() for r in t["relations"])
        assert len(graph.words) == len(things)
        assert len(graph.edges) == len(things) + given + alone
        assert all(0 <= x1 <= x2 <= 1 and 0 <= y1 <= y2 <= 1 for x1, y1, x2, y2 in graph.boxes)
    column = Preprocess().fit([example(g) for g in official.values()]).encode([example(g) for g in official.values()])
    assert column.lengths().tolist() == [21, 12, 20, 6]
