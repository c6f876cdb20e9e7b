"""Scene graphs of detected regions: names from the detector's classes, relations from the boxes alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from chiasm.data.example import DataError
from chiasm.data.features import FeatureStore
from chiasm.data.geometry import Detection, related
from chiasm.data.images import upright_size
from chiasm.data.progress import track


def write_graphs(
    store: FeatureStore, images: Mapping[str, Any], file: Path, *, threshold: float = 0.3, regions: int = 36
) -> int:
    """The scene graphs of the store's images as GQA's JSON, image id -> graph; returns how many.

    A region less sure than `threshold` makes no object, nor does one after the first `regions`. Raises `DataError` when
    the store knows no classes, or an image is not among `images`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.partial")
    count = 0
    with aside.open("w", encoding="utf-8") as out:
        out.write("{")
        for name in track([i.decode() for i in store.ids], len(store), "graphs"):
            if name not in images:
                raise DataError(f"image {name} of the store is not among the {len(images)} images given for the sizes")
            graph = graph_of(store, name, *upright_size(images[name]), threshold=threshold, regions=regions)
            out.write(f"{',' if count else ''}\n{json.dumps(name)}: {json.dumps(graph)}")
            count += 1
        out.write("\n}\n")
    aside.rename(file)
    return count


def graph_of(
    store: FeatureStore, name: str, width: int, height: int, *, threshold: float = 0.3, regions: int = 36
) -> Mapping[str, Any]:
    """The scene graph of one image of the store."""
    labels = store.about.get("label_names")
    found = store.gather(store.rows([name]))
    if not labels or found.labels is None:
        raise DataError(f"{store.folder} does not say what its regions are: extract with a detector")
    kept = found.labels[0] >= 0
    if found.confidences is not None:
        kept &= found.confidences[0] >= threshold
    if found.attention_mask is not None:
        kept &= found.attention_mask[0]
    places = kept.nonzero()[:regions, 0]
    boxes = (found.boxes[0, places].double() * torch.tensor([width, height, width, height])).tolist()
    names = [str(labels[i]) for i in found.labels[0, places].tolist()]
    return scene_graph(boxes, names, width, height)


def scene_graph(boxes: Sequence[Sequence[float]], names: Sequence[str], width: int, height: int) -> Mapping[str, Any]:
    """Boxes x1, y1, x2, y2 in pixels with a name each -> a scene graph as GQA writes it.

    Objects are called "0", "1", ... in the order of the boxes; each keeps at least the pixel where it begins.
    """
    things = [Detection(name, (b[0], b[1], b[2], b[3])) for name, b in zip(names, boxes, strict=True)]
    objects: dict[str, dict[str, Any]] = {}
    for number, thing in enumerate(things):
        x, y = round(thing.box[0]), round(thing.box[1])
        objects[str(number)] = {
            "name": thing.name,
            "x": x,
            "y": y,
            "w": max(1, round(thing.box[2]) - x),
            "h": max(1, round(thing.box[3]) - y),
            "attributes": list(thing.attributes),
            "relations": [],
        }
    for a, b, relation in related(things, width=width, height=height):
        objects[str(a)]["relations"].append({"object": str(b), "name": relation})
    return {"width": width, "height": height, "objects": objects}
