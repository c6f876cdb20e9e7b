"""VCR (Zellers et al., CVPR 2019): four answers to a question about a film still, and four rationales of the right one.

Texts are lists of words in which a list of numbers points at detected objects: ["Why", "is", [0, 1], "here", "?"].
Persons become names that fit anyone, other objects their class; a mapping is the same in a question, its answers and
its rationales. An example has `text`, `choices`, `rationales`, `images`, and `answer` and `rationale`, the numbers of
the right ones (None in the official test split). In `info`: `image_id`, `objects`, what each is `called` in the texts,
the `boxes_file` that says where they are, `match_fold`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from chiasm.data.example import Example, RowError, raise_rows
from chiasm.data.sources._files import first_file, read_json, read_json_lines

SPLITS: tuple[str, ...] = ("train", "val", "test")
FILES = """<split>.jsonl                    one question a line
vcr1images/<img_fn>              the images, and beside them <metadata_fn> with their objects' boxes"""
NEEDED = ("question", "answer_choices", "rationale_choices", "objects", "img_fn")
# Given names of any gender, one for each person of an image; with more persons they begin again with a number.
NAMES = ("Casey", "Riley", "Jessie", "Jackie", "Avery", "Jaime", "Peyton", "Kerry", "Jody", "Kendall", "Skyler", "Pat")
Tags = Literal["names", "classes"]


def read(
    folder: Path,
    split: str,
    *,
    tags: Tags = "names",  # how a person is called: by a name, or "person 1"
    boxes: bool = False,  # the detected objects' boxes of the metadata files, as regions
    limit: int = 0,  # the first so many questions; 0: all
) -> list[Example]:
    """The questions of one split. Raises `DataError` when a file is missing or a row is of another kind."""
    file = first_file(folder, [f"{split}.jsonl", f"vcr1annots/{split}.jsonl"], wanted=f"VCR questions of {split!r}")
    place = next(
        (folder / name for name in ("vcr1images", "images") if (folder / name).is_dir()), folder / "vcr1images"
    )
    examples, bad = [], []
    for number, entry in read_json_lines(file)[: limit or None]:
        try:
            examples.append(_example(entry, place, tags, boxes, f"{file.name}, line {number}"))
        except RowError as error:
            bad.append(error)
    raise_rows(bad, usable=examples)
    return examples


def _example(entry: Any, place: Path, tags: Tags, boxes: bool, origin: str) -> Example:
    missing = [key for key in NEEDED if not isinstance(entry, Mapping) or key not in entry]
    if missing:
        raise RowError(f"no VCR question: it lacks {' and '.join(map(repr, missing))}", origin=origin)
    name = str(entry.get("annot_id", origin))
    called = names_of(entry["objects"], tags)
    try:
        values: dict[str, Any] = {
            "text": words(entry["question"], called),
            "choices": [words(choice, called) for choice in entry["answer_choices"]],
            "rationales": [words(choice, called) for choice in entry["rationale_choices"]],
            "images": (str(place / entry["img_fn"]),),
            "answer": entry.get("answer_label"),
            "rationale": entry.get("rationale_label"),
        }
    except (IndexError, TypeError) as error:
        reason = f"a text is no list of words and of lists of object numbers below {len(called)} ({error})"
        raise RowError(reason, origin=origin, row_id=name) from error
    if boxes:
        found = read_json(place / str(entry.get("metadata_fn", "")))
        values["boxes"] = ([box[:4] for box in found["boxes"]],)
    info = {
        "image_id": str(entry.get("img_id", entry["img_fn"])),
        "objects": tuple(entry["objects"]),
        "called": tuple(called),
        "boxes_file": str(place / entry["metadata_fn"]) if entry.get("metadata_fn") else None,
        "match_fold": entry.get("match_fold"),
    }
    return Example(name, values, info, origin)


def names_of(objects: Sequence[str], tags: Tags = "names") -> list[str]:
    """What each detected object is called: a person by a name, others by their class.

    A class of which there are several is numbered from 1: "bottle 2".
    """
    counts: dict[str, int] = {}
    called = []
    for kind in objects:
        number = counts[kind] = counts.get(kind, 0) + 1
        if kind == "person" and tags == "names":
            again, place = divmod(number - 1, len(NAMES))
            called.append(NAMES[place] if not again else f"{NAMES[place]} {again + 1}")
        else:
            called.append(f"{kind} {number}" if list(objects).count(kind) > 1 else kind)
    return called


def words(tokens: Sequence[str | Sequence[int]], called: Sequence[str]) -> str:
    """The text of a list of words, object numbers replaced: [0, 1] -> "Casey and Riley". Raises IndexError."""
    said = []
    for token in tokens:
        if isinstance(token, str):
            said.append(token)
        else:
            if any(number < 0 for number in token):
                raise IndexError(f"object {min(token)}")
            said.append(" and ".join(called[number] for number in token))
    return re.sub(r"\s+([.,?!;:]|'\w)", r"\1", " ".join(said))
