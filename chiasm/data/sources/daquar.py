"""DAQUAR (Malinowski and Fritz, NeurIPS 2014): questions about photos of rooms, answered by a word or a list of them.

Reads JSON lines with `image`, `question` and `answer`, or the official text files (a question and an answer in turn).
A list is written with commas, "book, scissor"; the answer of an example is the list as a set: sorted, once each.

The public set has a file of training questions and one of test questions. Where only one file of JSON lines is there,
`validation` and `test` are each a share of its images, chosen by a seed, with all their questions.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.sources._files import ImageFinder, first_file, read_json_lines

SPLITS: tuple[str, ...] = ("train", "validation", "test", "all", "official_train", "official_test")
FILES = """train.jsonl               {"image", "question", "answer"} a line
train_images.zip          <image>.jpg or .png (also images/, nyu_depth_images/)
or qa.37.raw.train.txt, qa.37.raw.test.txt (also qa.894.raw.*.txt) for official_train and official_test"""
IMAGE = re.compile(r"\s*(?:in|on|of)?\s*(?:the|this)?\s*(image\d+)\s*\??\s*$")


def read(
    folder: Path,
    split: str,
    *,
    held_out: float = 0.1,  # share of the images for "test", and as many for "validation"
    seed: int = 0,  # which images
    limit: int = 0,  # the first so many questions; 0: all
) -> list[Example]:
    """The questions of one split. Raises `DataError` when a file is missing or of another kind."""
    if split not in SPLITS:
        raise DataError(f"daquar has no split {split!r}: {', '.join(SPLITS)}")
    if not 0 < held_out < 0.5:
        raise DataError(f"held_out is {held_out}; more than 0 and less than 0.5 is expected")
    images = ImageFinder(folder, ["train_images.zip", "images", "nyu_depth_images", "test_images.zip"])
    rows = _official(folder, split.removeprefix("official_")) if split.startswith("official_") else _lines(folder)
    chosen = {str(row["image"]) for _, row in rows if isinstance(row, dict) and "image" in row}
    if split in ("train", "validation", "test"):
        chosen = images_of(split, sorted(chosen), held_out, seed)
    examples: list[Example] = []
    bad: list[RowError] = []
    for number, (origin, row) in enumerate(rows):
        if limit and len(examples) >= limit:
            break
        try:
            example = _example(row, images, str(number), origin)
        except RowError as error:
            bad.append(error)
            continue
        if example.info["image_id"] in chosen:
            examples.append(example)
    raise_rows(bad, usable=examples)
    return examples


def answer_set(text: str) -> tuple[str, ...]:
    """The words of an answer, each once, in alphabetical order: "red, blue, red" -> ("blue", "red")."""
    return tuple(sorted({word for part in text.lower().split(",") if (word := part.strip())}))


def images_of(split: str, images: list[str], share: float, seed: int) -> set[str]:
    """The images of one split: shuffled by the seed, the first for test, the next for validation, the rest to train."""
    random.Random(seed).shuffle(images)
    size = max(1, round(share * len(images)))
    parts = {"test": images[:size], "validation": images[size : 2 * size], "train": images[2 * size :]}
    return set(parts[split])


def _lines(folder: Path) -> list[tuple[str, Any]]:
    file = first_file(folder, ["train.jsonl", "daquar.jsonl"], wanted="file with the DAQUAR questions")
    return [(f"{file.name}, line {number}", row) for number, row in read_json_lines(file)]


def _official(folder: Path, part: str) -> list[tuple[str, Any]]:
    names = [f"qa.{kind}.raw.{part}.txt" for kind in ("37", "894")]
    file = first_file(folder, names, wanted=f"file with DAQUAR's {part} questions")
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(lines) % 2:
        raise DataError(f"{file} has {len(lines)} lines; a question and an answer in turn are expected")
    rows: list[tuple[str, Any]] = []
    for number, (question, answer) in enumerate(_in_turn(lines)):
        found = IMAGE.search(question)
        row = {"question": IMAGE.sub("", question), "answer": answer}
        rows.append((f"{file.name}, question {number + 1}", {**row, "image": found[1]} if found else row))
    return rows


def _in_turn(lines: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(lines[::2], lines[1::2], strict=True))


def _example(row: Any, images: ImageFinder, name: str, origin: str) -> Example:
    missing = [key for key in ("image", "question", "answer") if not isinstance(row, dict) or not row.get(key)]
    if missing:
        raise RowError(f"no DAQUAR question: it lacks {' and '.join(map(repr, missing))}", origin=origin, row_id=name)
    answers = answer_set(str(row["answer"]))
    if not answers:
        raise RowError(f"the answer {row['answer']!r} holds no word", origin=origin, row_id=name)
    image = str(row["image"])
    values = {"text": str(row["question"]), "images": (images.find(image),), "answer": ", ".join(answers)}
    return Example(name, values, {"image_id": image, "num_answers": len(answers)}, origin)
