"""COCO captions (Chen et al. 2015) as single sentences: one row for each caption of an image.

Reads the official annotation files, which the generated world writes too. In `info`: `image_id`, and what the file
says further of a caption (the generated world: `annotator`, `correct`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example
from chiasm.data.sources._files import ImageFinder, first_file, read_json

SPLITS: tuple[str, ...] = ("train2014", "val2014", "train2017", "val2017", "train", "val", "test")
FILES = """captions_<split>.json                       (also in annotations/ or captions/)
images/<file name>                          (also <split>/; not needed with a feature store)"""


def read(
    folder: Path,
    split: str,
    *,
    limit: int = 0,  # the first so many captions; 0: all
) -> list[Example]:
    """The captions of one split. Raises `DataError` when the file is missing, empty, or of another data set."""
    names = [f"{place}captions_{split}.json" for place in ("annotations/", "captions/", "")]
    file = first_file(folder, names, wanted=f"file with the captions of {split!r}")
    content = read_json(file)
    lists = [content.get(key) if isinstance(content, dict) else None for key in ("images", "annotations")]
    images, captions = lists
    if not isinstance(images, list) or not isinstance(captions, list):
        raise DataError(f"{file} holds no COCO captions: an object with lists 'images' and 'annotations' is expected")
    if not captions:
        raise DataError(f"{file} holds no caption: the split is empty")
    finder = ImageFinder(folder, ["images", split, f"images/{split}"])
    named = {image["id"]: finder.find(image["file_name"]) for image in images}
    return [_example(entry, named, file) for entry in captions[: limit or None]]


def _example(entry: Any, images: Mapping[Any, str], file: Path) -> Example:
    missing = [k for k in ("id", "image_id", "caption") if not isinstance(entry, Mapping) or k not in entry]
    if missing:
        raise DataError(f"{file}: a caption lacks {' and '.join(map(repr, missing))}")
    if entry["image_id"] not in images:
        raise DataError(f"{file}: caption {entry['id']} is about image {entry['image_id']}, which 'images' lacks")
    info = {k: v for k, v in entry.items() if k not in ("id", "image_id", "caption")}
    values = {"text": entry["caption"], "images": (images[entry["image_id"]],), "answer": None}
    return Example(
        str(entry["id"]), values, {"image_id": str(entry["image_id"]), **info}, f"{file.name}, {entry['id']}"
    )
