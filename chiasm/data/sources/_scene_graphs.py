"""GQA's scene graphs: boxes of an image's objects, and the graph itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError
from chiasm.data.sources._files import first_file, read_json

Graph = Mapping[str, Any]
CORNER = ("x", "y", "w", "h")  # of an object, in pixels


class SceneGraphs:
    """The scene graphs of one split: {image id: {"width", "height", "objects": {id: {"name", "x", "y", "w", "h"}}}}.

    Each is looked into when it is asked for, so that a bad one is the error of the rows about its image only. Raises
    `DataError` when the file is missing or of another kind.
    """

    def __init__(self, folder: Path, split: str) -> None:
        name = f"{split}_sceneGraphs.json"
        self.file = first_file(folder, [f"sceneGraphs/{name}", name], wanted=f"file with the scene graphs of {split!r}")
        self._graphs = read_json(self.file)
        self._boxes: dict[str, list[list[float]]] = {}
        is_keyed = isinstance(self._graphs, dict)
        if not is_keyed or (self._graphs and not any(_has_objects(graph) for graph in self._graphs.values())):
            raise DataError(f"{self.file} holds no GQA scene graphs: an object per image id with 'objects' is expected")

    def graph(self, image_id: str) -> Graph:
        """The graph of one image, the same object every time. Raises `DataError` when there is none, or a bad one."""
        if image_id not in self._graphs:
            raise DataError(
                f"image {image_id} has no scene graph in {self.file.name}; is it of another split? "
                "(GQA publishes none for testdev and test)"
            )
        graph = self._graphs[image_id]
        if not isinstance(graph, Mapping):
            raise DataError(f"image {image_id}: the scene graph is {graph!r:.40}; an object with 'objects' is expected")
        if not _has_objects(graph):
            raise DataError(f"image {image_id}: the scene graph has no 'objects'")
        if not isinstance(graph["objects"], Mapping):
            raise DataError(f"image {image_id}: 'objects' is {graph['objects']!r:.40}; an object per thing is expected")
        return graph

    def boxes(self, image_id: str) -> list[list[float]]:
        """`boxes_of` the graph of one image, one list that all its rows share. Raises `DataError`."""
        if image_id not in self._boxes:
            graph = self.graph(image_id)
            try:
                self._boxes[image_id] = boxes_of(graph)
            except DataError as error:
                raise DataError(f"image {image_id}: {error}") from None
        return self._boxes[image_id]

    def all(self) -> dict[str, Graph]:
        """Every graph by its image's id. Raises `DataError` for the first bad one."""
        try:
            return {image_id: self.graph(image_id) for image_id in self._graphs}
        except DataError as error:
            raise DataError(f"{self.file}: {error}") from None


def read_scene_graphs(folder: Path, split: str) -> dict[str, Graph]:
    """image id -> scene graph, of a split whose graphs are all good. Raises `DataError`."""
    return SceneGraphs(folder, split).all()


def boxes_of(graph: Graph) -> list[list[float]]:
    """x1, y1, x2, y2 in pixels of every object, in the order of the file, cut off at the image's edges.

    Annotators drew some boxes beyond the edge. What has no area inside the image keeps the pixel nearest to it. Raises
    `DataError` for an object without a box.
    """
    width, height = _side(graph, "width"), _side(graph, "height")
    found = []
    for name, thing in graph["objects"].items():
        left, top, wide, high = _corner(name, thing)
        x1, y1 = min(max(left, 0.0), width - 1), min(max(top, 0.0), height - 1)
        x2, y2 = min(left + wide, width), min(top + high, height)
        found.append([x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)])
    return found


def _has_objects(graph: Any) -> bool:
    return isinstance(graph, Mapping) and "objects" in graph


def _corner(name: str, thing: Any) -> list[float]:
    if not isinstance(thing, Mapping):
        raise DataError(f"object {name} is {thing!r:.40}; an object with x, y, w and h is expected")
    if any(thing.get(key) is None for key in CORNER):
        raise DataError(f"object {name} has no box: x, y, w and h are expected")
    return [_number(thing[key], f"object {name}: {key}") for key in CORNER]


def _side(graph: Graph, name: str) -> float:
    """The picture's width or height; without one nothing is cut off."""
    side = graph.get(name)
    return math.inf if side is None else float(_number(side, name))


def _number(value: Any, what: str) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{what} is {value!r:.40}; a number is expected")
    return value
