"""VG-QA: questions about Visual Genome's images with one free answer each (Krishna et al. 2017; Zhu et al. 2016).

Reads Visual Genome's `question_answers.json`, which has no splits (split "all"), and Visual7W's
`dataset_v7w_telling.json` (splits "train", "val", "test"). LXMERT calls this set "visual7w".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example
from chiasm.data.sources._files import ImageFinder, first_file, read_json

SPLITS: tuple[str, ...] = ("all", "train", "val", "test")
FILES = """question_answers.json                       Visual Genome's, for the split "all"
dataset_v7w_telling.json                    Visual7W's, for "train", "val" and "test"
images/<image id>.jpg                       (also VG_100K/, VG_100K_2/; not needed with a feature store)"""


def read(
    folder: Path,
    split: str,
    *,
    limit: int = 0,  # the first so many questions; 0: all
) -> list[Example]:
    """The questions of one split. Raises `DataError` when the file is missing, empty, or of another data set."""
    name = "question_answers.json" if split == "all" else "dataset_v7w_telling.json"
    file = first_file(folder, [name, f"annotations/{name}"], wanted=f"file with the VG questions of {split!r}")
    content = read_json(file)
    pairs = _visual_genome(content, file) if split == "all" else _visual7w(content, split, file)
    images = ImageFinder(folder, ["images", "VG_100K", "VG_100K_2"])
    examples: list[Example] = []
    for image_id, names, pair in pairs:
        if limit and len(examples) >= limit:
            break
        missing = [k for k in ("qa_id", "question", "answer") if not isinstance(pair, Mapping) or k not in pair]
        if missing:
            raise DataError(f"{file}: a question about image {image_id} lacks {' and '.join(map(repr, missing))}")
        values = {"text": pair["question"], "images": (images.find(*names),), "answer": pair["answer"]}
        info = {"image_id": image_id, "question_type": pair.get("type")}
        examples.append(Example(str(pair["qa_id"]), values, info, f"{file.name}, {pair['qa_id']}"))
    if not examples:
        raise DataError(f"{file} holds no question of the split {split!r}")
    return examples


def _visual_genome(content: Any, file: Path) -> Iterator[tuple[str, list[str], Any]]:
    """(image id, image names, question) of `question_answers.json`."""
    if not isinstance(content, list) or any(not isinstance(row, Mapping) or "qas" not in row for row in content):
        raise DataError(f"{file} holds no Visual Genome questions: a list of images with 'qas' is expected")
    for row in content:
        image_id = str(row.get("id", row.get("image_id")))
        for pair in row["qas"]:
            yield image_id, [image_id], pair


def _visual7w(content: Any, split: str, file: Path) -> Iterator[tuple[str, list[str], Any]]:
    """The same of Visual7W's file, whose images say their split."""
    rows = content.get("images") if isinstance(content, dict) else None
    if not isinstance(rows, list) or any("qa_pairs" not in row or "split" not in row for row in rows):
        raise DataError(f"{file} is not Visual7W's: an object with 'images' of 'split' and 'qa_pairs' is expected")
    for row in rows:
        if row["split"] == split:
            image_id = str(row["image_id"])
            name = row.get("filename")
            names = [Path(name).stem, image_id] if name else [f"v7w_{image_id}", image_id]
            for pair in row["qa_pairs"]:
                yield image_id, names, pair
