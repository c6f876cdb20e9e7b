"""A scene graph as it is brought -> nodes with words, and edges both ways (GraphVQA, section 3.2, appendix C.1).

    {"objects": {"1": {"name": "cube", "attributes": ["red"], "relations": [{"name": "on", "object": "2"}]}, ...}}
        -> nodes in the order of their ids, each [name, attributes...]
        -> edges: for each node one to itself, then each relation, followed by an added one against it where the other
           way no relation runs

Objects without relations get them from their boxes (`chiasm.data.geometry`), and so does a list of detections. What
cannot be used is a `RowError` or ValueError with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from chiasm.data.geometry import Box, related, things_of

SELF = "<self>"  # the relation of a node to itself
NOTHING = "<unk>"  # the name of the nodes that stand for an empty graph
EMPTY = 2  # how many of these: the released code's dummy graph


class GraphError(ValueError):
    """A scene graph that cannot be used; the message says why."""


class Edge(NamedTuple):
    """A message flows from `source` to `target`, places among the nodes."""

    source: int
    target: int
    relation: str
    is_reversed: bool = False  # added, to run against a relation


class Node(NamedTuple):
    """A thing, or the picture's place."""

    id: str
    words: tuple[str, ...]  # its name, then its attributes
    box: Box  # x1, y1, x2, y2 as shares of the image; zeros when unknown


@dataclass(frozen=True)
class Graph:
    """Nodes with their words and boxes, and edges between them."""

    ids: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    edges: tuple[Edge, ...]
    boxes: tuple[Box, ...]


def read_graph(value: Any, *, location: bool = False, from_boxes: bool = False) -> Graph:
    """A GQA scene graph, the same as JSON text, objects without relations, or a list of detections.

    With `location` the place that the graph names ("outdoors") is a node of its own, with edges from and to no other:
    what the question asks of the whole picture. With `from_boxes` relations come from the boxes even where the graph
    has some. Raises `GraphError`, ValueError.
    """
    given = _parsed(value)
    if isinstance(given, Mapping) and isinstance(given.get("objects"), Mapping):
        objects = {str(name): _object(name, thing) for name, thing in given["objects"].items()}
        untold = objects and not any("relations" in thing for thing in given["objects"].values())
        return _detected(given, location) if untold or from_boxes else _gold(objects, given, location)
    if isinstance(given, Sequence) and not isinstance(given, str):
        return _detected({"objects": given}, location)
    raise GraphError(
        "no scene graph: an object with 'objects' is expected, as in GQA's sceneGraphs files, or a list of detections "
        "with name and box"
    )


def _gold(objects: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any], location: bool) -> Graph:
    ids = sorted(objects)
    relations = [(name, str(r["object"]), str(r["name"])) for name in ids for r in objects[name].get("relations", ())]
    missing = [f"{name} is {word!r} {other}" for name, other, word in relations if other not in objects]
    if missing:
        raise GraphError(f"a relation to an object that is not in the graph: {missing[0]}")
    places = {name: place for place, name in enumerate(ids)}
    found = [(places[a], places[b], word) for a, b, word in relations]
    nodes = [Node(name, _words(objects[name]), _box(objects[name], given)) for name in ids]
    return _graph([*nodes, *_place(given, location)], found)


def _detected(given: Mapping[str, Any], location: bool) -> Graph:
    objects, things = given["objects"], things_of(given)
    ids = sorted(objects) if isinstance(objects, Mapping) else [str(i) for i in range(len(things))]
    width, height = given.get("width"), given.get("height")
    nodes = [
        Node(str(name), (t.name, *t.attributes), _share(t.box, width, height))
        for name, t in zip(ids, things, strict=True)
    ]
    return _graph([*nodes, *_place(given, location)], related(things, width=width, height=height))


def _place(given: Mapping[str, Any], location: bool) -> list[Node]:
    """The node of the picture's place, over the whole picture."""
    known = location and given.get("location")
    return [Node("location", (str(given["location"]),), (0.0, 0.0, 1.0, 1.0))] if known else []


def _graph(nodes: Sequence[Node], relations: Sequence[tuple[int, int, str]]) -> Graph:
    if not nodes:
        return _graph([Node(f"nothing {i}", (NOTHING,), (0.0, 0.0, 0.0, 0.0)) for i in range(EMPTY)], [])
    pairs = {(a, b) for a, b, _ in relations}
    leaving: list[list[Edge]] = [[Edge(node, node, SELF)] for node in range(len(nodes))]
    for source, target, word in relations:
        leaving[source].append(Edge(source, target, word))
        if (target, source) not in pairs:
            leaving[source].append(Edge(target, source, word, is_reversed=True))
    ids, words, boxes = zip(*nodes, strict=True)
    return Graph(ids, words, tuple(edge for of_node in leaving for edge in of_node), boxes)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise GraphError(f"the graph is no valid JSON ({error})") from error


def _object(name: object, thing: Any) -> Mapping[str, Any]:
    """One object of a graph, checked."""
    if not isinstance(thing, Mapping) or not isinstance(thing.get("name"), str):
        raise GraphError(f"object {name} has no name")
    for relation in thing.get("relations", ()):
        if not isinstance(relation, Mapping) or not {"name", "object"} <= set(relation):
            raise GraphError(f"object {name}: a relation needs 'name' and 'object', got {relation!r}")
    if isinstance(thing.get("attributes", ()), str):
        raise GraphError(f"object {name}: attributes are {thing['attributes']!r}; a list is expected")
    return thing


def _words(thing: Mapping[str, Any]) -> tuple[str, ...]:
    """The name and the attributes, none twice."""
    return (str(thing["name"]), *dict.fromkeys(str(a) for a in thing.get("attributes", ())))


def _box(thing: Mapping[str, Any], given: Mapping[str, Any]) -> Box:
    if not {"x", "y", "w", "h"} <= set(thing):
        return 0.0, 0.0, 0.0, 0.0
    x, y, w, h = (float(thing[key]) for key in "xywh")
    return _share((x, y, x + w, y + h), given.get("width"), given.get("height"))


def _share(box: Box, width: float | None, height: float | None) -> Box:
    """Pixels -> shares of the picture, inside it; zeros where its size is not known."""
    if not width or not height:
        return 0.0, 0.0, 0.0, 0.0
    x1, y1, x2, y2 = (min(max(v / s, 0.0), 1.0) for v, s in zip(box, (width, height) * 2, strict=True))
    return x1, y1, x2, y2
