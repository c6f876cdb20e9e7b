"""Several sources one after the other, each under its own name: captions and questions about the same pictures.

A split is "<source>/<split>", for example "vqa/train"; it is read from the folder `<source>` below the data folder if
there is one, else, and where all sets share one `images` folder, from the data folder itself. An example's id gets its
source's name in front, and `info["set"]` is that name. Such rows pre-train LXMERT, and add other sets' questions to a
fine-tuning (its Table 4, "DA").
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from chiasm.data.example import BadRows, DataError, Example, RowError, raise_rows
from chiasm.data.sources import source, source_names
from chiasm.data.sources._scene_graphs import Graph, boxes_of, read_scene_graphs
from chiasm.data.vocabulary import gold_answers

SPLITS: tuple[str, ...] = ("coco_captions/train", "vqa/train", "gqa/train", "vg_qa/all")
FILES = """<source>/...      what each source needs, in a folder of its name or in the data folder itself
sceneGraphs/<split>_sceneGraphs.json        (only for named_boxes = true)"""


def read(
    folder: Path,
    split: str,
    *,
    named_boxes: bool = False,  # boxes, names and first attributes of the objects in the scene graphs, as regions
    one_answer: bool = False,  # the commonest answer in place of several annotators' ones
    limit: int = 0,  # the first so many rows of each split; 0: all
) -> list[Example]:
    """The rows of "<source>/<split>". Raises `DataError` when the split is not of this form or a file is missing, and
    `BadRows` with the usable ones, labelled, when the source found bad ones."""
    name, slash, inner = split.partition("/")
    if not slash or name not in source_names() or not inner:
        raise DataError(f"split {split!r}: '<source>/<split>' is expected, with a source among {source_names()}")
    module = source(name)
    place = folder / name if (folder / name).is_dir() and not (folder / "images").exists() else folder
    limits = {"limit": limit} if limit and "limit" in inspect.signature(module.read).parameters else {}
    bad: list[RowError] = []
    try:
        examples = module.read(place, inner, **limits)
    except BadRows as error:
        if error.usable is None:
            raise
        examples, bad = list(error.usable), error.rows
    graphs = read_scene_graphs(place, inner) if named_boxes else None
    named = {} if graphs is None else {image: _named(graph) for image, graph in graphs.items()}
    rows = [_labelled(example, name, named, wanted=named_boxes) for example in examples[: limit or None]]
    rows = [_with_one_answer(row) for row in rows] if one_answer else rows
    raise_rows(bad, usable=rows)
    return rows


def _named(graph: Graph) -> dict[str, Any]:
    """Boxes, and (name, first attribute) of each object, "" without an attribute; one tuple entry for the one image."""
    things = [(str(t["name"]), str((t.get("attributes") or [""])[0])) for t in graph["objects"].values()]
    return {"boxes": (boxes_of(graph),), "objects": (tuple(things),)}


def _labelled(example: Example, name: str, named: Mapping[str, dict[str, Any]], *, wanted: bool) -> Example:
    values = dict(example.values)
    if wanted:
        image = str(example.info.get("image_id"))
        if image not in named:
            raise DataError(f"{example.origin}: image {image} has no scene graph; its boxes cannot be named")
        values |= named[image]
    return replace(example, id=f"{name}/{example.id}", values=values, info={**example.info, "set": name})


def _with_one_answer(example: Example) -> Example:
    """The row with the commonest of its answers, or the one with the highest score."""
    answers = gold_answers(example.values.get("answer"))
    return replace(example, values={**example.values, "answer": answers[0] if answers else None})
