"""NLVR (Suhr et al., ACL 2017): a statement about three boxes of shapes, true or false.

An image of 400 x 100 pixels shows the three boxes, 100 x 100 each, at x = 0, 150 and 300. What is in them is known
exactly, so the regions are the shapes (and the boxes), and the scene graph is exact too. A picture exists with the
boxes in up to six orders; they are those of `itertools.permutations`.

The published test images are not distributed with labels; validation rows are taken from the training set by whole
`directory` values, since statements of one directory are about related pictures.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.sources._files import ImageFinder, first_file, read_json_lines
from chiasm.data.sources._nlvr_graphs import BOX_SIZE, graph_of

SPLITS: tuple[str, ...] = ("train", "validation", "dev", "test")
FILES = """train.jsonl, dev.jsonl                        JSON lines (also <split>.json, and in <split>/)
<split>_images.zip or images/<split>/...       <identifier>-<permutation>.png"""
BOX_LEFT = (0, 150, 300)  # x of the three boxes in the picture
ORDERS = tuple(itertools.permutations(range(3)))  # of the boxes in picture 0 to 5
TRUTH = {"true": True, "false": False}


def read(
    folder: Path,
    split: str,
    *,
    permutations: int = 1,  # how many of a statement's pictures, each with the boxes in another order
    containers: bool = True,  # the three boxes as regions too, before the shapes
    graphs: bool = False,  # the structured scenes as scene graphs
    validation_share: float = 0.1,  # of the training directories, read as the split "validation"
    limit: int = 0,  # the first so many statements; 0: all
) -> list[Example]:
    """The statements of one split. Raises `DataError` when a file is missing, empty, or of another data set."""
    if not 1 <= permutations <= len(ORDERS):
        raise DataError(f"permutations is {permutations}; 1 to {len(ORDERS)} pictures are possible")
    stored = "train" if split == "validation" else split
    names = [f"{stored}.jsonl", f"{stored}.json", f"{stored}/{stored}.json", f"{stored}/{stored}.jsonl"]
    file = first_file(folder, names, wanted=f"file with the NLVR statements of split {split!r}")
    images = ImageFinder(folder, [f"{stored}_images.zip", "images", f"images/{stored}", f"{stored}/images"])
    examples: list[Example] = []
    bad: list[RowError] = []
    lines = read_json_lines(file)
    held_out = _held_out([entry.get("directory") for _, entry in lines if isinstance(entry, dict)], validation_share)
    for number, entry in lines:
        if limit and len(examples) >= limit * permutations:
            break
        origin = f"{file.name}, line {number}"
        try:
            _check(entry, origin)
            if stored == "train" and (str(entry.get("directory")) in held_out) != (split == "validation"):
                continue
            examples += [_example(entry, p, images, containers, graphs, origin) for p in range(permutations)]
        except RowError as error:
            bad.append(error)
    raise_rows(bad, usable=examples)
    if not examples:
        raise DataError(f"{file}: the split {split!r} is empty")
    return examples


def _held_out(directories: Sequence[Any], share: float) -> set[str]:
    """The directories of the validation split: the same ones for the same share, whatever the order of the rows."""
    if not 0 <= share < 1:
        raise DataError(f"validation_share is {share}; at least 0 and less than 1 is expected")
    known = sorted({str(d) for d in directories}, key=lambda d: hashlib.sha256(d.encode()).hexdigest())
    return set(known[: round(share * len(known))])


def _check(entry: Any, origin: str) -> None:
    wanted = ("identifier", "sentence", "structured_rep")
    missing = [k for k in wanted if not isinstance(entry, Mapping) or k not in entry]
    if missing:
        raise RowError(f"no NLVR statement: it lacks {' and '.join(map(repr, missing))}", origin=origin)
    if len(entry["structured_rep"]) != len(BOX_LEFT):
        raise RowError(f"{len(entry['structured_rep'])} boxes instead of {len(BOX_LEFT)}", origin=origin)
    if str(entry.get("label")).lower() not in {*TRUTH, "none"}:
        raise RowError(f"label {entry['label']!r} is neither true nor false", origin=origin)


def _example(
    entry: Mapping[str, Any], permutation: int, images: ImageFinder, containers: bool, graphs: bool, origin: str
) -> Example:
    identifier = str(entry["identifier"])
    name = f"{identifier}-{permutation}"
    if permutation and name not in images:
        raise RowError(f"picture {name}.png is not there; ask for fewer permutations", origin=origin, row_id=identifier)
    shown = [entry["structured_rep"][box] for box in ORDERS[permutation]]
    label = entry.get("label")
    values: dict[str, Any] = {
        "text": entry["sentence"],
        "images": (images.find(f"{name}.png", name),),
        "boxes": (_boxes(shown, containers),),
        "answer": None if label is None else TRUTH[str(label).lower()],
    }
    if graphs:
        values["graph"] = graph_of(shown, BOX_LEFT)
    info = {"identifier": identifier, "directory": str(entry.get("directory")), "permutation": permutation}
    return Example(name, values, info, origin)


def _boxes(shown: Sequence[Sequence[Mapping[str, Any]]], containers: bool) -> list[list[float]]:
    """x1, y1, x2, y2 in pixels: the three boxes, then every shape from left to right."""
    outer = [[left, 0, left + BOX_SIZE, BOX_SIZE] for left in BOX_LEFT] if containers else []
    inner = [
        [left + item["x_loc"], item["y_loc"], left + item["x_loc"] + item["size"], item["y_loc"] + item["size"]]
        for left, items in zip(BOX_LEFT, shown, strict=True)
        for item in items
    ]
    return [[float(v) for v in box] for box in outer + inner]
