"""A scene graph as it is brought -> nodes with words, and edges both ways (GraphVQA, section 3.2, appendix C.1).

    {"objects": {"1": {"name": "cube", "attributes": ["red"], "relations": [{"name": "on", "object": "2"}]}, ...}}
        -> nodes in the order of their ids, each [name, attributes...]
        -> edges: for each node one to itself, then each relation, followed by an added one against it where the other
           way no relation runs

Objects without relations get them from their boxes (`chiasm.data.geometry`), and so does a list of detections. What
cannot be used is a `GraphError` with the reason. What is null is absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from chiasm.data.geometry import Box, GraphError, attributes_of, finite, related, things_of

__all__ = ["EMPTY", "NOTHING", "SELF", "Edge", "Graph", "GraphError", "Node", "read_graph"]

SELF = "<self>"  # the relation of a node to itself
NOTHING = "<unk>"  # the name of the nodes that stand for an empty graph
EMPTY = 2  # how many of these: the released code's dummy graph
SIDES = ("width", "height")

Size = tuple[float | None, float | None]  # width and height of the picture in pixels


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
    has some. Raises `GraphError`.
    """
    given = _parsed(value)
    if isinstance(given, Mapping) and isinstance(given.get("objects"), Mapping):
        objects = {str(name): _object(name, thing) for name, thing in given["objects"].items()}
        untold = objects and all(thing.get("relations") is None for thing in objects.values())
        return _detected(given, location) if untold or from_boxes else _gold(objects, given, location)
    if isinstance(given, Sequence) and not isinstance(given, str):
        return _detected({"objects": given}, location)
    raise GraphError(
        "no scene graph: an object with 'objects' is expected, as in GQA's sceneGraphs files, or a list of detections "
        "with name and box"
    )


def _gold(objects: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any], location: bool) -> Graph:
    ids = sorted(objects)
    relations = [(name, str(r["object"]), str(r["name"])) for name in ids for r in _relations(name, objects[name])]
    missing = [f"{name} is {word!r} {other}" for name, other, word in relations if other not in objects]
    if missing:
        raise GraphError(f"a relation to an object that is not in the graph: {missing[0]}")
    places = {name: place for place, name in enumerate(ids)}
    found = [(places[a], places[b], word) for a, b, word in relations]
    size = _size(given)
    nodes = [Node(name, _words(name, objects[name]), _box(name, objects[name], size)) for name in ids]
    return _graph([*nodes, *_place(given, location)], found)


def _detected(given: Mapping[str, Any], location: bool) -> Graph:
    objects, things, size = given["objects"], things_of(given), _size(given)
    ids = sorted(map(str, objects)) if isinstance(objects, Mapping) else [str(i) for i in range(len(things))]
    nodes = [Node(name, (t.name, *t.attributes), _share(t.box, size)) for name, t in zip(ids, things, strict=True)]
    return _graph([*nodes, *_place(given, location)], related(things, width=size[0], height=size[1]))


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
    except RecursionError:
        raise GraphError("the graph is JSON of lists in lists, too deep to be read") from None


def _object(name: object, thing: Any) -> Mapping[str, Any]:
    """One object of a graph, checked."""
    if not isinstance(thing, Mapping) or not isinstance(thing.get("name"), str):
        raise GraphError(f"object {name} has no name")
    for relation in _relations(name, thing):
        if not isinstance(relation, Mapping) or relation.get("name") is None or relation.get("object") is None:
            raise GraphError(f"object {name}: a relation needs 'name' and 'object', got {relation!r}")
    return thing


def _relations(name: object, thing: Mapping[str, Any]) -> list[Any]:
    given = thing.get("relations")
    if given is None:
        return []
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise GraphError(f"object {name}: relations are {given!r}; a list is expected")
    return list(given)


def _words(name: str, thing: Mapping[str, Any]) -> tuple[str, ...]:
    """The name and the attributes, none of these twice."""
    return (str(thing["name"]), *attributes_of(thing, f"object {name}"))


def _box(name: str, thing: Mapping[str, Any], size: Size) -> Box:
    given = {key: finite(thing[key], f"object {name}: {key}") for key in "xywh" if thing.get(key) is not None}
    if len(given) < 4:
        return 0.0, 0.0, 0.0, 0.0
    x, y, w, h = given.values()
    return _share((x, y, x + w, y + h), size)


def _size(given: Mapping[str, Any]) -> Size:
    """The picture's width and height in pixels, as far as they are known; 0 is not known."""
    sides = [None if given.get(side) is None else finite(given[side], f"the picture's {side}") for side in SIDES]
    for side, length in zip(SIDES, sides, strict=True):
        if length is not None and length < 0:
            raise GraphError(f"the picture's {side} is {length:g}; a positive number is expected")
    width, height = (length or None for length in sides)
    return width, height


def _share(box: Box, size: Size) -> Box:
    """Pixels -> shares of the picture, inside it; zeros where its size is not known."""
    width, height = size
    if width is None or height is None:
        return 0.0, 0.0, 0.0, 0.0
    x1, y1, x2, y2 = (min(max(v / s, 0.0), 1.0) for v, s in zip(box, (width, height) * 2, strict=True))
    return x1, y1, x2, y2
