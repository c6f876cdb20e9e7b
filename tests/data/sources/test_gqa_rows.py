"""GQA's bad rows: each is named, and the others can be used."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from chiasm.data.example import BadRows, DataError
from chiasm.data.sources import source
from chiasm.data.sources._scene_graphs import read_scene_graphs

from .written import dump

GOOD: dict[str, Any] = {"question": "what?", "imageId": "n1", "answer": "cube"}
CUBE: dict[str, Any] = {"name": "cube", "attributes": [], "relations": [], "x": 1, "y": 2, "w": 3, "h": 4}
GRAPH: dict[str, Any] = {"width": 9, "height": 9, "objects": {"1": CUBE}}


def written(folder: Path, questions: dict[str, Any], graphs: dict[str, Any] | None = None) -> Path:
    dump(folder / "questions" / "val_balanced_questions.json", questions)
    if graphs is not None:
        dump(folder / "sceneGraphs" / "val_sceneGraphs.json", graphs)
    return folder


def reason(folder: Path, **options: Any) -> str:
    """Of the one bad row; the good one, q1, is usable."""
    with pytest.raises(BadRows) as caught:
        source("gqa").read(folder, "val", **options)
    assert [example.id for example in caught.value.usable or ()] == ["q1"]
    (row,) = caught.value.rows
    assert (row.row_id, row.origin) == ("q2", "val_balanced_questions.json")
    return row.reason


def test_graphs_need_no_boxes(tmp_path: Path) -> None:
    bare = {"objects": {"1": {"name": "cube"}}}
    written(tmp_path, {"q1": GOOD}, {"n1": bare})
    (example,) = source("gqa").read(tmp_path, "val", graphs=True)
    assert example.values["graph"] == bare
    with pytest.raises(BadRows, match="image n1: object 1 has no box: x, y, w and h are expected"):
        source("gqa").read(tmp_path, "val", boxes=True)


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (None, "image n2: the scene graph is None; an object with 'objects' is expected"),
        ({"objects": None}, "image n2: 'objects' is None; an object per thing is expected"),
        ({"objects": []}, "image n2: 'objects' is []; an object per thing is expected"),
        ({"nodes": {}}, "image n2: the scene graph has no 'objects'"),
        ({"objects": {"1": None}}, "image n2: object 1 is None; an object with x, y, w and h is expected"),
        ({"objects": {"1": {**CUBE, "x": None}}}, "image n2: object 1 has no box"),
        ({"objects": {"1": {**CUBE, "w": "3"}}}, "image n2: object 1: w is '3'; a number is expected"),
        ({"objects": {"1": {**CUBE, "h": math.nan}}}, "image n2: object 1: h is nan; a number is expected"),
        ({"width": "9", "objects": {}}, "image n2: width is '9'; a number is expected"),
    ],
)
def test_a_bad_scene_graph_is_an_error_of_its_own_questions_only(tmp_path: Path, graph: Any, told: str) -> None:
    written(tmp_path, {"q1": GOOD, "q2": {**GOOD, "imageId": "n2"}}, {"n1": GRAPH, "n2": graph, "unasked": None})
    assert told in reason(tmp_path, boxes=True)


def test_every_question_without_a_scene_graph_is_named(tmp_path: Path) -> None:
    others = {f"q{i}": {**GOOD, "imageId": f"n{i}"} for i in range(1, 4)}
    written(tmp_path, others, {"n1": GRAPH})
    with pytest.raises(BadRows) as caught:
        source("gqa").read(tmp_path, "val", graphs=True)
    assert [row.row_id for row in caught.value.rows] == ["q2", "q3"]
    assert [example.id for example in caught.value.usable or ()] == ["q1"]
    assert "row q2: image n2 has no scene graph in val_sceneGraphs.json" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"types": "str"}, "'types' is 'str'; an object is expected"),
        ({"groups": ["a"]}, "'groups' is ['a']; an object is expected"),
        ({"annotations": {"question": ["1"]}}, "'annotations': 'question' is ['1']; an object is expected"),
        ({"entailed": "q1"}, "'entailed' is 'q1'; a list is expected"),
        ({"equivalent": 3}, "'equivalent' is 3; a list is expected"),
        ({"semantic": {"operation": "select"}}, "'semantic' is {'operation': 'select'}; a list is expected"),
        ({"semantic": ["select"]}, "step 1 of 'semantic' is 'select'; an object with operation and argument"),
        ({"semantic": [{"operation": "select"}]}, "step 1 of 'semantic' is {'operation': 'select'}; an object with"),
        ({"imageId": None}, "it lacks 'imageId'"),
    ],
)
def test_a_field_of_another_kind_is_named_and_the_other_question_usable(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    assert told in reason(written(tmp_path, {"q1": GOOD, "q2": GOOD | change}))


def test_what_is_null_or_empty_is_absent(tmp_path: Path) -> None:
    names = ("types", "groups", "annotations", "entailed", "equivalent", "semantic")
    written(tmp_path, {"q1": GOOD, "q2": {**GOOD, **dict.fromkeys(names)}, "q3": {**GOOD, "annotations": []}})
    infos = [example.info for example in source("gqa").read(tmp_path, "val")]
    assert infos[1] == infos[2] == infos[0]


def test_an_entry_that_is_no_object_is_named(tmp_path: Path) -> None:
    assert "no GQA question: it lacks 'question' and 'imageId'" in reason(written(tmp_path, {"q1": GOOD, "q2": None}))


def test_an_id_in_two_parts_is_refused_by_name_and_the_first_kept(tmp_path: Path) -> None:
    parts = tmp_path / "questions" / "train_all_questions"
    dump(parts / "part_0.json", {"q1": GOOD, "q2": GOOD})
    dump(parts / "part_1.json", {"q2": {**GOOD, "answer": "ball"}, "q3": GOOD})
    with pytest.raises(BadRows) as caught:
        source("gqa").read(tmp_path, "train", questions="all")
    assert "part_1.json, row q2: the id was given already, in part_0.json" in str(caught.value)
    usable = caught.value.usable or ()
    assert [(example.id, example.values["answer"]) for example in usable] == [
        ("q1", "cube"), ("q2", "cube"), ("q3", "cube")
    ]  # fmt: skip


def test_other_sources_get_one_clear_error_for_a_bad_graph(tmp_path: Path) -> None:
    written(tmp_path, {}, {"n1": GRAPH, "n2": {"objects": None}})
    with pytest.raises(DataError, match=r"val_sceneGraphs\.json: image n2: 'objects' is None"):
        read_scene_graphs(tmp_path, "val")
    written(tmp_path, {}, {"n1": None})
    with pytest.raises(DataError, match="holds no GQA scene graphs"):
        read_scene_graphs(tmp_path, "val")


def test_all_questions_are_read_of_the_named_splits_only(tmp_path: Path) -> None:
    written(tmp_path, {"q1": GOOD})
    dump(tmp_path / "questions" / "val_all_questions.json", {"q1": GOOD, "q2": {**GOOD, "isBalanced": False}})
    dump(tmp_path / "questions" / "train_balanced_questions.json", {"q3": GOOD})
    read = source("gqa").read
    assert [e.info["is_balanced"] for e in read(tmp_path, "val", all_questions=["val"])] == [True, False]
    assert [e.id for e in read(tmp_path, "train", all_questions=["val"])] == ["q3"]
    assert [e.id for e in read(tmp_path, "val")] == ["q1"]


def test_among_several_sources_the_usable_rows_have_their_names(tmp_path: Path) -> None:
    written(tmp_path / "gqa", {"q1": GOOD, "q2": None})
    with pytest.raises(BadRows) as caught:
        source("several").read(tmp_path, "gqa/val")
    assert [row.row_id for row in caught.value.rows] == ["q2"]
    (usable,) = caught.value.usable or ()
    assert (usable.id, usable.info["set"]) == ("gqa/q1", "gqa")
