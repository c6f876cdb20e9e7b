"""NLVR2 (Suhr et al., ACL 2019): a statement about two photos, true or false. JSON lines, one example a line.

`identifier` is "split-set-pair-sentence"; the images are named by it without the last field, "-img0.png" the left and
"-img1.png" the right one. Examples of one sentence share `info["sentence_group"]` (the identifier without the pair
field), over which consistency is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.sources._files import ImageFinder, first_file, read_json_lines
from chiasm.data.sources._scene_graphs import boxes_of, read_scene_graphs

SPLITS: tuple[str, ...] = ("train", "dev", "test1", "test2")
FILES = """<split>.json                           JSON lines (also in data/, nlvr2/ or nlvr2/data/)
images/<identifier>-img0.png, -img1.png   (also <split>/, images/<split>/, images/train/<directory>/)"""
TRUTH = {"true": True, "false": False}


def read(
    folder: Path,
    split: str,
    *,
    boxes: bool = False,  # the objects' boxes of sceneGraphs/<split>_sceneGraphs.json (the generated world) as regions
    limit: int = 0,  # the first so many statements; 0: all
) -> list[Example]:
    """The statements of one split. Raises `DataError` when a file is missing, empty, or of another data set."""
    names = [f"{place}{split}.json" for place in ("", "data/", "nlvr2/", "nlvr2/data/")]
    file = first_file(folder, names, wanted=f"file with the NLVR2 statements of {split!r}")
    lines = read_json_lines(file)
    if not lines:
        raise DataError(f"{file} holds no statement: the split is empty")
    images = ImageFinder(folder, ["images", split, f"images/{split}", "images.zip", *_numbered(folder, split)])
    graphs = read_scene_graphs(folder, split) if boxes else None
    corners = None if graphs is None else {image: boxes_of(graph) for image, graph in graphs.items()}
    examples, bad = [], []
    for number, entry in lines[: limit or None]:
        origin = f"{file.name}, line {number}"
        try:
            examples.append(_example(entry, images, corners, origin))
        except RowError as error:
            bad.append(error)
    raise_rows(bad, usable=examples)
    return examples


def _numbered(folder: Path, split: str) -> list[str]:
    """The folders 0 to 99 in which the official training images lie."""
    places = [f"images/{split}", split, f"images/images/{split}"]
    return [
        str(entry.relative_to(folder))
        for place in places
        if (folder / place).is_dir()
        for entry in sorted((folder / place).iterdir())
        if entry.is_dir()
    ]


def _example(entry: Any, images: ImageFinder, corners: Mapping[str, list[list[float]]] | None, origin: str) -> Example:
    missing = [k for k in ("identifier", "sentence") if not isinstance(entry, Mapping) or k not in entry]
    if missing:
        raise RowError(f"no NLVR2 statement: it lacks {' and '.join(map(repr, missing))}", origin=origin)
    identifier = str(entry["identifier"])
    fields = identifier.split("-")
    if len(fields) != 4:
        raise RowError(f"identifier {identifier!r} is not 'split-set-pair-sentence'", origin=origin)
    label = entry.get("label")
    if label is not None and str(label).lower() not in TRUTH:
        raise RowError(f"label {label!r} is neither True nor False", origin=origin, row_id=identifier)
    pair = "-".join(fields[:3])
    sides = (f"{pair}-img0", f"{pair}-img1")
    values: dict[str, Any] = {
        "text": entry["sentence"],
        "images": tuple(images.find(f"{side}.png", side) for side in sides),
        "answer": None if label is None else TRUTH[str(label).lower()],
    }
    if corners is not None:
        unknown = [side for side in sides if side not in corners]
        if unknown:
            raise RowError(f"image {unknown[0]} has no scene graph", origin=origin, row_id=identifier)
        values["boxes"] = tuple(corners[side] for side in sides)
    group = f"{fields[0]}-{fields[1]}-{fields[3]}"
    info = {"identifier": identifier, "sentence_group": group}
    if "family" in entry:  # the generated world's kind of statement
        info["family"] = str(entry["family"])
    return Example(identifier, values, info, origin)
