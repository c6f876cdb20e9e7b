"""Sentences about images as LXMERT aggregates them for pre-training: one JSON file for each set of images.

    [{"img_id": ..., "sentf": {data set: [sentence, ...]}, "labelf": {data set: [{answer: score}, ...]}}, ...]

Sets of captions have sentences only; "vqa", "gqa" and "visual7w" (VG-QA) have an answer for each of their sentences.
In `info`: `image_id` and `set`, the data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example
from chiasm.data.sources._files import ImageFinder, first_file, read_json

SPLITS: tuple[str, ...] = ("mscoco_train", "mscoco_nominival", "vgnococo", "mscoco_minival")
FILES = """<split>.json                                as LXMERT distributes it (also in lxmert/)
images/<image id>.jpg                       (not needed with a feature store)"""


def read(
    folder: Path,
    split: str,
    *,
    sets: tuple[str, ...] = (),  # only sentences of these data sets; (): all
    limit: int = 0,  # the sentences of the first so many images; 0: all
) -> list[Example]:
    """The sentences of one file, each with its image. Raises `DataError` naming what is wrong with the file."""
    file = first_file(
        folder, [f"{split}.json", f"lxmert/{split}.json"], wanted=f"file with LXMERT's sentences of {split!r}"
    )
    content = read_json(file)
    if not isinstance(content, list) or not content:
        raise DataError(f"{file} holds no sentences: a list of images with 'img_id' and 'sentf' is expected")
    images = ImageFinder(folder, ["images", split])
    examples = [one for datum in content[: limit or None] for one in _sentences(datum, images, sets, file)]
    if not examples:
        raise DataError(f"{file} holds no sentence of {', '.join(sets)}")
    return examples


def _sentences(datum: Any, images: ImageFinder, sets: Sequence[str], file: Path) -> Iterator[Example]:
    """The examples of one image."""
    missing = [k for k in ("img_id", "sentf") if not isinstance(datum, Mapping) or k not in datum]
    if missing:
        raise DataError(f"{file}: an entry lacks {' and '.join(map(repr, missing))}")
    image_id, labels = str(datum["img_id"]), datum.get("labelf") or {}
    value = images.find(image_id)
    for name, sentences in datum["sentf"].items():
        if sets and name not in sets:
            continue
        answers = labels.get(name)
        if answers is not None and len(answers) != len(sentences):
            told = f"{len(sentences)} sentences and {len(answers)} labels of {name}"
            raise DataError(f"{file}: image {image_id} has {told}")
        for number, sentence in enumerate(sentences):
            given = None if answers is None else answers[number]
            values = {"text": sentence.strip(), "images": (value,), "answer": given or None}
            info = {"image_id": image_id, "set": name}
            yield Example(f"{image_id}_{name}_{number:03d}", values, info, f"{file.name}, image {image_id}")
