"""Captions, one row for each image: what several people wrote about it.

Reads COCO's annotation files (the generated world writes them too), Karpathy's `dataset_<name>.json` of COCO, Flickr8k
and Flickr30k with its splits, and Flickr8k's token file with its lists of images. `answer` is the list of captions; in
`info`: `image_id`, and where the file says it of each caption `annotator` and `correct`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example
from chiasm.data.sources._files import ImageFinder, first_file, read_json

SPLITS: tuple[str, ...] = ("train", "val", "test", "restval", "train2014", "val2014", "train2017", "val2017", "dev")
FILES = """captions_<split>.json                       COCO's files (also in annotations/ or captions/)
 or dataset_<name>.json                     Karpathy's splits: train, restval, val, test
 or Flickr8k.token.txt and Flickr_8k.<split>Images.txt
images/<file name>                          (also <split>/; not needed with a feature store)"""
KARPATHY = ("dataset.json", "dataset_coco.json", "dataset_flickr30k.json", "dataset_flickr8k.json")


def read(
    folder: Path,
    split: str,
    *,
    limit: int = 0,  # the first so many images; 0: all
    annotators: tuple[str, ...] = (),  # only captions by these, where the file names them; (): all
) -> list[Example]:
    """The images of one split with their captions. Raises `DataError` when files are missing or of another kind."""
    finder = ImageFinder(folder, ["images", split, f"images/{split}"])
    if any((folder / name).is_file() for name in KARPATHY):
        examples = _karpathy(folder, split, finder)
    elif (folder / "Flickr8k.token.txt").is_file():
        examples = _flickr(folder, split, finder)
    else:
        examples = _coco(folder, split, finder, annotators)
    found = list(examples)
    if not found:
        raise DataError(f"{folder} holds no captions of {split!r}")
    return found[: limit or None]


def _coco(folder: Path, split: str, finder: ImageFinder, annotators: tuple[str, ...]) -> Iterator[Example]:
    places = ("annotations/", "captions/", "")
    file = first_file(
        folder, [f"{place}captions_{split}.json" for place in places], wanted=f"file with the captions of {split!r}"
    )
    content = read_json(file)
    images, entries = (content.get(k) if isinstance(content, Mapping) else None for k in ("images", "annotations"))
    if not isinstance(images, list) or not isinstance(entries, list):
        raise DataError(f"{file} holds no COCO captions: an object with lists 'images' and 'annotations' is expected")
    said: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for entry in entries:
        if not isinstance(entry, Mapping) or "image_id" not in entry or not isinstance(entry.get("caption"), str):
            raise DataError(f"{file}: {entry!r} is no caption: 'image_id' and 'caption' are expected")
        if not annotators or entry.get("annotator") in annotators:
            said[entry["image_id"]].append(entry)
    unknown = said.keys() - {image["id"] for image in images}
    if unknown:
        raise DataError(f"{file}: captions about image {min(unknown)}, which 'images' lacks")
    for image in images:
        captions = said.get(image["id"], [])
        if captions:
            facts = {k: [c[k] for c in captions] for k in ("annotator", "correct") if all(k in c for c in captions)}
            texts = [c["caption"] for c in captions]
            yield _example(str(image["id"]), finder.find(image["file_name"]), texts, facts, file)


def _karpathy(folder: Path, split: str, finder: ImageFinder) -> Iterator[Example]:
    file = first_file(folder, KARPATHY, wanted="file of Karpathy's splits")
    content = read_json(file)
    if not isinstance(content, Mapping) or not isinstance(content.get("images"), list):
        raise DataError(f"{file} is no file of Karpathy's splits: an object with a list 'images' is expected")
    for image in content["images"]:
        if image.get("split") == split:
            name = str(image.get("cocoid", Path(image["filename"]).stem))
            yield _example(name, finder.find(image["filename"]), [s["raw"] for s in image["sentences"]], {}, file)


def _flickr(folder: Path, split: str, finder: ImageFinder) -> Iterator[Example]:
    listed = first_file(folder, [f"Flickr_8k.{split}Images.txt"], wanted=f"list of the images of {split!r}")
    file = folder / "Flickr8k.token.txt"
    said: dict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        name, tab, caption = line.partition("\t")
        if not tab or not caption.strip():
            raise DataError(f"{file}, line {number}: image#number, a tab and a caption are expected, got {line!r}")
        said[name.rpartition("#")[0]].append(caption)
    for name in listed.read_text(encoding="utf-8").split():
        if name not in said:
            raise DataError(f"{listed}: image {name} has no caption in {file.name}")
        yield _example(Path(name).stem, finder.find(name), said[name], {}, file)


def _example(name: str, image: str, captions: list[str], facts: Mapping[str, Any], file: Path) -> Example:
    values = {"images": (image,), "answer": captions}
    return Example(name, values, {"image_id": name, **facts}, f"{file.name}, image {name}")
