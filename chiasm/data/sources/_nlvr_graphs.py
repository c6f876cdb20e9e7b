"""NLVR's structured scenes as scene graphs: three boxes, the shapes in them, and how these lie to each other.

nodes    box: "box" with its place ("left", "middle", "right"); shape: its type with colour, size, and the walls
         that it touches ("touching the bottom")
edges    a shape "in" its box; inside a box "touching", "above" or "below", "to the left of" or "to the right of";
         between boxes "to the left of" and "to the right of"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BOX_SIZE = 100  # pixels
PLACES = ("left", "middle", "right")
COLORS: Mapping[str, str] = {"#0099ff": "blue", "Yellow": "yellow", "Black": "black"}
SIZES: Mapping[int, str] = {10: "small", 20: "medium", 30: "large"}
BESIDE = 1  # pixels between shapes, or a shape and a wall, that touch

Item = Mapping[str, Any]


def graph_of(shown: Sequence[Sequence[Item]], left: Sequence[int]) -> dict[str, Any]:
    """The boxes as they are shown, from left to right, and their left edges -> a scene graph as GQA writes it."""
    objects: dict[str, dict[str, Any]] = {}
    for number, (items, x, place) in enumerate(zip(shown, left, PLACES, strict=True)):
        box = f"{number}"
        others = [(other, "to the left of" if number < other else "to the right of") for other in range(len(shown))]
        objects[box] = {
            "name": "box",
            "attributes": [place],
            "x": x,
            "y": 0,
            "w": BOX_SIZE,
            "h": BOX_SIZE,
            "relations": [{"name": name, "object": f"{other}"} for other, name in others if other != number],
        }
        for place_in, item in enumerate(items):
            within = [
                {"name": name, "object": f"{box}-{other}"}
                for other, second in enumerate(items)
                if other != place_in
                for name in _between(item, second)
            ]
            objects[f"{box}-{place_in}"] = {
                "name": str(item["type"]),
                "attributes": [*_looks(item), *_walls(item)],
                "x": x + item["x_loc"],
                "y": item["y_loc"],
                "w": item["size"],
                "h": item["size"],
                "relations": [{"name": "in", "object": box}, *within],
            }
    width = left[-1] + BOX_SIZE
    return {"width": width, "height": BOX_SIZE, "objects": objects}


def _looks(item: Item) -> Iterator[str]:
    yield COLORS.get(str(item["color"]), str(item["color"]))
    yield SIZES.get(item["size"], f"size {item['size']}")


def _walls(item: Item) -> Iterator[str]:
    x, y, size = item["x_loc"], item["y_loc"], item["size"]
    gaps = {"left": x, "top": y, "right": BOX_SIZE - x - size, "bottom": BOX_SIZE - y - size}
    for wall, gap in gaps.items():
        if gap <= BESIDE:
            yield f"touching the {wall}"


def _between(one: Item, other: Item) -> Iterator[str]:
    """How `one` lies to `other`: by centres; what differs by less than half the smaller one is not said."""
    right = one["x_loc"] + one["size"] / 2 - other["x_loc"] - other["size"] / 2
    below = one["y_loc"] + one["size"] / 2 - other["y_loc"] - other["size"] / 2
    least, reach = min(one["size"], other["size"]) / 2, (one["size"] + other["size"]) / 2
    if abs(right) >= least:
        yield "to the right of" if right > 0 else "to the left of"
    if abs(below) >= least:
        yield "below" if below > 0 else "above"
    if max(abs(right), abs(below)) <= reach + BESIDE:
        yield "touching"
