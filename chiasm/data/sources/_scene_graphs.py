"""GQA's scene graphs: boxes of an image's objects, and the graph itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError
from chiasm.data.sources._files import first_file, read_json

Graph = Mapping[str, Any]


def read_scene_graphs(folder: Path, split: str) -> dict[str, Graph]:
    """image id -> scene graph {"width", "height", "objects": {id: {"name", "x", "y", "w", "h", ...}}}."""
    name = f"{split}_sceneGraphs.json"
    file = first_file(folder, [f"sceneGraphs/{name}", name], wanted=f"file with the scene graphs of {split!r}")
    graphs = read_json(file)
    if not isinstance(graphs, dict) or any("objects" not in graph for graph in graphs.values()):
        raise DataError(f"{file} holds no GQA scene graphs: an object per image id with 'objects' is expected")
    return graphs


def boxes_of(graph: Graph) -> list[list[float]]:
    """x1, y1, x2, y2 in pixels of every object, in the order of the file, cut off at the image's edges.

    Annotators drew some boxes beyond the edge. What has no area inside the image keeps the pixel nearest to it.
    """
    width, height = float(graph.get("width", "inf")), float(graph.get("height", "inf"))
    found = []
    for thing in graph["objects"].values():
        x1, y1 = min(max(thing["x"], 0.0), width - 1), min(max(thing["y"], 0.0), height - 1)
        x2, y2 = min(thing["x"] + thing["w"], width), min(thing["y"] + thing["h"], height)
        found.append([x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)])
    return found
