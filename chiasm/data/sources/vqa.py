"""VQA v2 (Goyal et al., CVPR 2017): questions about COCO photos, ten annotators' answers each.

Reads the official question and annotation files, which the generated world writes too, and the files that LXMERT
distributes (a list of {"question_id", "img_id", "sent", "label": {answer: score}}). An example's answer is the list
of annotators' answers, LXMERT's {answer: score}, or None where there are none (test). In `info`: `answer_type`,
`question_type`, `image_id`, `multiple_choice_answer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example
from chiasm.data.sources._files import ImageFinder, first_file, read_json
from chiasm.data.sources._scene_graphs import boxes_of, read_scene_graphs

SPLITS: tuple[str, ...] = ("train2014", "val2014", "test2015", "test-dev2015", "train", "nominival", "minival")
FILES = """v2_OpenEnded_mscoco_<split>_questions.json   (also in vqa/ or questions/)
v2_mscoco_<split>_annotations.json           (also in vqa/ or annotations/; not for test splits)
or <split>.json as LXMERT distributes it     (also in vqa/)
images/COCO_<split>_<12 digits>.jpg          (also <12 digits>.jpg or <id>.png, in images/ or <split>/)"""


def read(
    folder: Path,
    split: str,
    *,
    boxes: bool = False,  # the objects' boxes of sceneGraphs/<split>_sceneGraphs.json (the generated world) as regions
    limit: int = 0,  # the first so many questions; 0: all
) -> list[Example]:
    """The questions of one split. Raises `DataError` when a file is missing, empty, or of another data set."""
    file = _questions_file(folder, split)
    content = read_json(file)
    if isinstance(content, list):
        rows, subtype = [_of_lxmert(entry, file) for entry in content], split
    else:
        rows, subtype = _official(folder, split, file, content)
    if not rows:
        raise DataError(f"{file} holds no question: the split is empty")
    images = ImageFinder(folder, ["images", subtype, f"images/{subtype}", "images.zip", f"{subtype}.zip", *_COCO])
    graphs = read_scene_graphs(folder, split) if boxes else {}
    corners = {image: boxes_of(graph) for image, graph in graphs.items()}
    return [_example(row, subtype, images, corners, boxes, file) for row in rows[: limit or None]]


_COCO = ("train2014", "val2014", "test2015")  # LXMERT's nominival and minival name images of val2014


def _questions_file(folder: Path, split: str) -> Path:
    official, older = f"v2_OpenEnded_mscoco_{split}_questions.json", f"OpenEnded_mscoco_{split}_questions.json"
    names = [f"{place}{name}" for place in ("", "vqa/", "questions/") for name in (official, older)]
    return first_file(
        folder, [*names, f"vqa/{split}.json", f"{split}.json"], wanted=f"file with the VQA questions of split {split!r}"
    )


def _official(folder: Path, split: str, file: Path, content: Any) -> tuple[list[dict[str, Any]], str]:
    """The questions with their annotations, in the order of the file, and the COCO split of the images."""
    questions = _entries(content, "questions", ("question_id", "image_id", "question"), file)
    subtype = str(content.get("data_subtype", split)).replace("test-dev", "test")
    rows = [
        {"id": q["question_id"], "image_id": q["image_id"], "text": q["question"], "answer": None} for q in questions
    ]
    annotations = _annotations_file(folder, split)
    if annotations is not None:
        _annotate(rows, read_json(annotations), annotations, file)
    return rows, subtype


def _annotations_file(folder: Path, split: str) -> Path | None:
    """The answers of a split. There may be none for test splits, whose answers are not published."""
    names = [f"v2_mscoco_{split}_annotations.json", f"mscoco_{split}_annotations.json"]
    tried = [f"{place}{name}" for place in ("", "vqa/", "annotations/") for name in names]
    if split.startswith("test") and not any((folder / name).is_file() for name in tried):
        return None
    return first_file(folder, tried, wanted=f"file with the VQA annotations of split {split!r}")


def _entries(content: Any, key: str, fields: Sequence[str], file: Path) -> list[Mapping[str, Any]]:
    """The list `content[key]`. Raises `DataError` when the file is of another kind."""
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list) or any(f not in e for e in entries[:100] for f in fields):
        raise DataError(
            f"{file} is no VQA file: an object with a list {key!r} of entries with {', '.join(fields)} is expected"
        )
    return entries


def _annotate(rows: list[dict[str, Any]], content: Any, file: Path, questions: Path) -> None:
    """Put the annotators' answers into the rows. Raises `DataError` when they are those of other questions."""
    entries = _entries(content, "annotations", ("question_id", "answers"), file)
    by_id = {entry["question_id"]: entry for entry in entries}
    missing = [row["id"] for row in rows if row["id"] not in by_id]
    if missing:
        raise DataError(
            f"{file} lacks {len(missing)} of the {len(rows)} questions in {questions.name}, such as {missing[0]}: "
            "it holds the answers of another split or data set"
        )
    for row in rows:
        entry = by_id[row["id"]]
        row["answer"] = [given["answer"] for given in entry["answers"]]
        row["info"] = {k: entry.get(k) for k in ("answer_type", "question_type", "multiple_choice_answer")}


def _of_lxmert(entry: Any, file: Path) -> dict[str, Any]:
    missing = [k for k in ("question_id", "img_id", "sent") if not isinstance(entry, Mapping) or k not in entry]
    if missing:
        raise DataError(f"{file} is no VQA file: an entry lacks {' and '.join(map(repr, missing))}")
    info = {k: entry.get(k) for k in ("answer_type", "question_type")}
    return {
        "id": entry["question_id"],
        "image_id": entry["img_id"],
        "text": entry["sent"],
        "answer": entry.get("label"),
        "info": info,
    }


def _example(
    row: Mapping[str, Any],
    subtype: str,
    images: ImageFinder,
    corners: Mapping[str, list[list[float]]],
    boxes: bool,
    file: Path,
) -> Example:
    image_id = row["image_id"]
    values = {"text": row["text"], "images": (images.find(*_names(image_id, subtype)),), "answer": row["answer"]}
    if boxes:
        if str(image_id) not in corners:
            raise DataError(f"question {row['id']}: image {image_id} has no scene graph; boxes cannot be given")
        values["boxes"] = (corners[str(image_id)],)
    info = {"image_id": str(image_id), **row.get("info", {})}
    return Example(str(row["id"]), values, info, f"{file.name}, {row['id']}")


def _names(image_id: Any, subtype: str) -> list[str]:
    """The names an image can have: COCO's of 2014, COCO's of 2017, the bare id."""
    digits = str(image_id)
    if not digits.isdigit():
        return [digits]
    return [f"COCO_{subtype}_{int(digits):012d}", f"{int(digits):012d}", digits]
