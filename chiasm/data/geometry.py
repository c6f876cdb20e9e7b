"""Relations from boxes alone, so that what a detector finds can be asked about without a gold scene graph.

    [{"label": "cup", "box": [x1, y1, x2, y2]}, ...]  ->  cup "to the left of" plate, cup "on" table, ...

The rules are about boxes as a person would draw them; they do not know depth.

    to the left of, to the right of, above, below   the centres differ by at least `MARGIN` of the picture's size
    inside                                          at least `WITHIN` of the box lies in the other's
    on                                              it stands over the other: its lower edge is near the other's upper
                                                    edge, and at least half of its width is over it
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MARGIN = 1 / 16  # of the picture's width or height
WITHIN = 0.9  # of a box's area
NEAR = 1 / 32  # of the picture's height
CORNERS = ("xmin", "ymin", "xmax", "ymax")

Box = tuple[float, float, float, float]  # x1, y1, x2, y2


class GraphError(ValueError):
    """A scene graph that cannot be used; the message says why."""


@dataclass(frozen=True)
class Detection:
    """What a detector says of one thing."""

    name: str
    box: Box
    attributes: tuple[str, ...] = ()


def things_of(given: Mapping[str, Any]) -> list[Detection]:
    """The "objects" of a graph without relations, or a detector's list, as detections.

    A thing has a `name` (or `label`) and a `box`: [x1, y1, x2, y2], or {"xmin", "ymin", "xmax", "ymax"} as the
    detection pipeline of transformers gives it; or `x`, `y`, `w`, `h` as in GQA. Raises `GraphError`.
    """
    objects = given["objects"]
    entries = [objects[key] for key in sorted(objects, key=str)] if isinstance(objects, Mapping) else list(objects)
    return [_thing(number, entry) for number, entry in enumerate(entries, 1)]


def related(
    things: Sequence[Detection], *, width: float | None = None, height: float | None = None
) -> list[tuple[int, int, str]]:
    """(a, b, relation) for every pair that a rule speaks of: a is "to the left of" b.

    Without the picture's size the things' own extent is taken for it.
    """
    if not things:
        return []
    # From 0, or from the things that stick out there: never 0 for boxes with an area.
    width = width or max(t.box[2] for t in things) - min(0.0, *(t.box[0] for t in things))
    height = height or max(t.box[3] for t in things) - min(0.0, *(t.box[1] for t in things))
    return [
        (a, b, name)
        for a, one in enumerate(things)
        for b, other in enumerate(things)
        if a != b
        for name in _between(one.box, other.box, width, height)
    ]


def _between(one: Box, other: Box, width: float, height: float) -> Iterator[str]:
    right = (one[0] + one[2] - other[0] - other[2]) / 2 / width
    below = (one[1] + one[3] - other[1] - other[3]) / 2 / height
    if abs(right) >= MARGIN:
        yield "to the right of" if right > 0 else "to the left of"
    if abs(below) >= MARGIN:
        yield "below" if below > 0 else "above"
    across = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    down = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    area = (one[2] - one[0]) * (one[3] - one[1])
    if area < (other[2] - other[0]) * (other[3] - other[1]) and across * down >= WITHIN * area > 0:
        yield "inside"
    elif abs(one[3] - other[1]) <= NEAR * height and across >= (one[2] - one[0]) / 2:
        yield "on"


def attributes_of(entry: Mapping[str, Any], what: str) -> tuple[str, ...]:
    """The attributes of a thing that an error calls `what`, none twice; null is none. Raises `GraphError`."""
    given = entry.get("attributes")
    if given is None:
        return ()
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise GraphError(f"{what}: attributes are {given!r}; a list is expected")
    return tuple(dict.fromkeys(str(attribute) for attribute in given if attribute is not None))


def finite(value: Any, what: str) -> float:
    """A number of any library's type as a float. Raises `GraphError` for text, truth values, NaN and infinity."""
    try:
        found = math.nan if isinstance(value, str | bytes | bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise GraphError(f"{what} is {value!r:.40}; a finite number is expected")
    return found


def _thing(number: int, entry: Any) -> Detection:
    if not isinstance(entry, Mapping):
        raise GraphError(f"thing {number} is {entry!r:.100}; an object with name and box is expected")
    name = entry.get("name", entry.get("label"))
    if not isinstance(name, str) or not name:
        raise GraphError(f"thing {number} has no name")
    return Detection(name, _box(number, entry), attributes_of(entry, f"thing {number}"))


def _box(number: int, entry: Mapping[str, Any]) -> Box:
    box = entry.get("box")
    try:
        if isinstance(box, Mapping):
            x1, y1, x2, y2 = (finite(box[corner], corner) for corner in CORNERS)
        elif box is not None:
            x1, y1, x2, y2 = (finite(v, "a corner") for v in box)
        else:
            x1, y1 = finite(entry["x"], "x"), finite(entry["y"], "y")
            x2, y2 = x1 + finite(entry["w"], "w"), y1 + finite(entry["h"], "h")
    except (KeyError, TypeError, ValueError):
        raise GraphError(
            f"thing {number} has no box that can be read; [x1, y1, x2, y2], all finite, is expected"
        ) from None
    if not (x1 < x2 and y1 < y2):
        raise GraphError(f"thing {number}: the box {[x1, y1, x2, y2]} has no area; x1 < x2 and y1 < y2 are expected")
    return x1, y1, x2, y2
