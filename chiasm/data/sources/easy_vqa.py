"""easy-VQA (Zhou 2019): questions about one coloured shape in a 64 x 64 picture, 13 answers.

The package's own test images are not needed: `test` is a share of the images, chosen by a seed, with all their
questions, and `validation` as large a share of the rest.
"""

from __future__ import annotations

import random
from pathlib import Path

from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.sources._files import ImageFinder, first_file, read_json

SPLITS: tuple[str, ...] = ("train", "validation", "test")
FILES = """questions_train.json      [[question, answer, image id], ...] (also train/questions.json, questions.json)
images_train.zip          <image id>.png (also images/, train/images/)"""


def read(
    folder: Path,
    split: str,
    *,
    held_out: float = 0.1,  # share of the images for "test", and as many for "validation"
    seed: int = 0,  # which images
    limit: int = 0,  # the first so many questions; 0: all
) -> list[Example]:
    """The questions of one split. Raises `DataError` when a file is missing, empty, or of another data set."""
    if split not in SPLITS:
        raise DataError(f"easy_vqa has no split {split!r}: {', '.join(SPLITS)}")
    if not 0 < held_out < 0.5:
        raise DataError(f"held_out is {held_out}; more than 0 and less than 0.5 is expected")
    names = ["questions_train.json", "train/questions.json", "questions.json"]
    file = first_file(folder, names, wanted="file with the easy-VQA questions")
    entries = read_json(file)
    if not isinstance(entries, list) or not entries or not all(isinstance(e, list) and len(e) == 3 for e in entries):
        raise DataError(f"{file} is no easy-VQA question file: a list of [question, answer, image id] is expected")
    images = ImageFinder(folder, ["images_train.zip", "images", "train/images"])
    chosen = _images_of(split, sorted({str(image) for _, _, image in entries}), held_out, seed)
    examples: list[Example] = []
    bad: list[RowError] = []
    for number, (question, answer, image) in enumerate(entries):
        if limit and len(examples) >= limit:
            break
        if str(image) not in chosen:
            continue
        origin = f"{file.name}, entry {number}"
        if not isinstance(question, str) or not isinstance(answer, str):
            bad.append(RowError("question and answer are not both texts", origin=origin, row_id=str(number)))
            continue
        values = {"text": question, "images": (images.find(str(image)),), "answer": answer}
        examples.append(Example(str(number), values, {"image_id": str(image)}, origin))
    raise_rows(bad, usable=examples)
    return examples


def _images_of(split: str, images: list[str], share: float, seed: int) -> set[str]:
    """The images of one split: shuffled by the seed, the first for test, the next for validation, the rest to train."""
    random.Random(seed).shuffle(images)
    size = max(1, round(share * len(images)))
    parts = {"test": images[:size], "validation": images[size : 2 * size], "train": images[2 * size :]}
    return set(parts[split])
