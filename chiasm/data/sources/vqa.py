"""VQA v2 (Goyal et al., CVPR 2017): questions about COCO photos, ten annotators' answers each.

Reads the official question and annotation files, which the generated world writes too, and the files that LXMERT
distributes (a list of {"question_id", "img_id", "sent", "label": {answer: score}}). An example's answer is the list
of annotators' answers, LXMERT's {answer: score}, or None where there are none (test). In `info`: `answer_type`,
`question_type`, `image_id`, `multiple_choice_answer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.sources._files import ImageFinder, first_file, read_json
from chiasm.data.sources._scene_graphs import boxes_of, read_scene_graphs

SPLITS: tuple[str, ...] = ("train2014", "val2014", "test2015", "test-dev2015", "train", "nominival", "minival")
FILES = """v2_OpenEnded_mscoco_<split>_questions.json   (also in vqa/ or questions/)
v2_mscoco_<split>_annotations.json           (also in vqa/ or annotations/; not for test splits)
or <split>.json as LXMERT distributes it     (also in vqa/)
images/COCO_<split>_<12 digits>.jpg          (also <12 digits>.jpg or <id>.png, in images/ or <split>/)"""
OFFICIAL, LXMERT = ("question_id", "image_id", "question"), ("question_id", "img_id", "sent")  # of a question
ANNOTATED = ("answer_type", "question_type", "multiple_choice_answer")


def read(
    folder: Path,
    split: str,
    *,
    boxes: bool = False,  # the objects' boxes of sceneGraphs/<split>_sceneGraphs.json (the generated world) as regions
    limit: int = 0,  # the first so many questions; 0: all
) -> list[Example]:
    """The questions of one split. Raises `DataError` when a file is missing, empty, or of another data set.

    Raises `BadRows` naming every question that cannot be used.
    """
    file = _questions_file(folder, split)
    content = read_json(file)
    if isinstance(content, list):
        questions, answers, subtype = _entries(content, LXMERT, file), _Answers(), split
    else:
        listed = content.get("questions") if isinstance(content, dict) else None
        questions, answers = _entries(listed, OFFICIAL, file), _answers(folder, split)
        subtype = str(content.get("data_subtype", split)).replace("test-dev", "test")
        answers.check(questions, file)
    if not questions:
        raise DataError(f"{file} holds no question: the split is empty")
    graphs = read_scene_graphs(folder, split) if boxes else {}
    reader = _Reader(
        file=file,
        answers=answers,
        images=ImageFinder(folder, ["images", subtype, f"images/{subtype}", "images.zip", f"{subtype}.zip", *_COCO]),
        subtype=subtype,
        corners={image: boxes_of(graph) for image, graph in graphs.items()} if boxes else None,
        names=LXMERT if isinstance(content, list) else OFFICIAL,
    )
    examples: list[Example] = []
    bad: list[RowError] = []
    for number, entry in enumerate(questions[: limit or None]):
        try:
            examples.append(reader.example(entry, f"entry {number}"))
        except DataError as error:
            name = str(entry["question_id"]) if isinstance(entry, Mapping) and "question_id" in entry else ""
            bad.append(RowError(str(error), origin=f"{file.name}, entry {number}", row_id=name))
    raise_rows(bad, usable=examples)
    return examples


_COCO = ("train2014", "val2014", "test2015")  # LXMERT's nominival and minival name images of val2014


def _questions_file(folder: Path, split: str) -> Path:
    official, older = f"v2_OpenEnded_mscoco_{split}_questions.json", f"OpenEnded_mscoco_{split}_questions.json"
    names = [f"{place}{name}" for place in ("", "vqa/", "questions/") for name in (official, older)]
    return first_file(
        folder, [*names, f"vqa/{split}.json", f"{split}.json"], wanted=f"file with the VQA questions of split {split!r}"
    )


def _entries(listed: Any, names: Sequence[str], file: Path, *, key: str = "questions") -> list[Any]:
    """A list of entries with these names. Raises `DataError` when the file is of another kind: none has them."""
    if not isinstance(listed, list):
        raise DataError(
            f"{file} is no VQA file: an object with a list {key!r} of entries with {', '.join(names)} is expected"
        )
    if listed and all(_lacks(entry, names) for entry in listed):
        raise DataError(f"{file} is no VQA file: an entry lacks {_lacks(listed[0], names)}")
    return listed


def _lacks(entry: Any, names: Sequence[str]) -> str:
    """What an entry must have and this one has not, in words."""
    return " and ".join(repr(k) for k in names if not isinstance(entry, Mapping) or entry.get(k) is None)


@dataclass(frozen=True)
class _Answers:
    """The annotations of a split by question id, and their file; none for test splits and in LXMERT's files."""

    file: Path | None = None
    entries: Mapping[str, Any] = field(default_factory=dict)

    def check(self, questions: Sequence[Any], file: Path) -> None:
        """Raise `DataError` when they are those of other questions."""
        if self.file is None:
            return
        wanted = [str(q["question_id"]) for q in questions if not _lacks(q, ("question_id",))]
        missing = [name for name in wanted if name not in self.entries]
        if missing:
            raise DataError(
                f"{self.file} lacks {len(missing)} of the {len(questions)} questions in {file.name}, such as "
                f"{missing[0]}: it holds the answers of another split or data set"
            )

    def of(self, question_id: str) -> tuple[list[Any] | None, dict[str, Any]]:
        """The annotators' answers, and what the annotation says of them. Raises `DataError`."""
        if self.file is None:
            return None, {}
        entry = self.entries[question_id]
        given = entry.get("answers")
        if not isinstance(given, list) or any(_lacks(one, ("answer",)) for one in given):
            raise DataError(f"its annotation in {self.file.name} has no list 'answers' of objects with 'answer'")
        return [one["answer"] for one in given], {key: entry.get(key) for key in ANNOTATED}


def _answers(folder: Path, split: str) -> _Answers:
    """The answers of a split. There may be none for test splits, whose answers are not published."""
    names = [f"v2_mscoco_{split}_annotations.json", f"mscoco_{split}_annotations.json"]
    tried = [f"{place}{name}" for place in ("", "vqa/", "annotations/") for name in names]
    if split.startswith("test") and not any((folder / name).is_file() for name in tried):
        return _Answers()
    file = first_file(folder, tried, wanted=f"file with the VQA annotations of split {split!r}")
    content = read_json(file)
    listed = content.get("annotations") if isinstance(content, dict) else None
    entries = _entries(listed, ("question_id", "answers"), file, key="annotations")
    return _Answers(file, {str(one["question_id"]): one for one in entries if not _lacks(one, ("question_id",))})


@dataclass
class _Reader:
    """Makes examples of a split's entries, and remembers the ids."""

    file: Path
    answers: _Answers
    images: ImageFinder
    subtype: str
    corners: Mapping[str, list[list[float]]] | None
    names: Sequence[str]
    ids: dict[str, str] = field(default_factory=dict)  # question id -> where it was given

    def example(self, entry: Any, place: str) -> Example:
        """Raises `DataError` saying why the entry cannot be used."""
        if lacks := _lacks(entry, self.names):
            raise DataError(f"no VQA question: it lacks {lacks}")
        name, image_id, text = (entry[key] for key in self.names)
        name = str(name)
        first = self.ids.setdefault(name, place)
        if first != place:
            raise DataError(f"the id was given already, in {first}")
        answer, about = self.answers.of(name)
        if self.names is LXMERT:
            answer, about = entry.get("label"), {key: entry.get(key) for key in ANNOTATED[:2]}
        values = {"text": text, "images": (self.images.find(*_names(image_id, self.subtype)),), "answer": answer}
        if self.corners is not None:
            if str(image_id) not in self.corners:
                raise DataError(f"image {image_id} has no scene graph; boxes cannot be given")
            values["boxes"] = (self.corners[str(image_id)],)
        return Example(name, values, {"image_id": str(image_id), **about}, f"{self.file.name}, {name}")


def _names(image_id: Any, subtype: str) -> list[str]:
    """The names an image can have: COCO's of 2014, COCO's of 2017, the bare id."""
    digits = str(image_id)
    if not digits.isdigit():
        return [digits]
    return [f"COCO_{subtype}_{int(digits):012d}", f"{int(digits):012d}", digits]
