"""GQA (Hudson and Manning, CVPR 2019): compositional questions about real images, with programs and scene graphs.

The generated world writes the same format. What metrics need is in `info`: `structural`, `semantic`, `detailed`
(types), `group`, `entailed`, `equivalent`, `image_id`, `program` (functional steps), `is_balanced`, `full_answer`; with
choices also `valid` and `plausible`, the answers that are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.sources._files import ImageFinder, first_file, read_json
from chiasm.data.sources._scene_graphs import SceneGraphs

SPLITS: tuple[str, ...] = ("train", "val", "testdev", "test", "challenge", "submission")
FILES = """questions/<split>_balanced_questions.json   (or <split>_all_questions.json, or a folder of its parts)
images/<image id>.jpg                       (not needed with a feature store)
sceneGraphs/<split>_sceneGraphs.json        (only for boxes = true or graphs = true)
questions/<split>_choices.json              (where it is there: validity and plausibility; also in eval/)"""


def read(
    folder: Path,
    split: str,
    *,
    questions: str = "balanced",  # or "all": which of the two official files
    all_questions: Sequence[str] = (),  # splits read from the file of all questions, for the official consistency
    boxes: bool = False,  # the objects' boxes of the scene graphs as regions
    graphs: bool = False,  # the scene graphs themselves
    choices: Sequence[str] | None = None,  # splits whose choices must be there; None: all but train, where they are
    limit: int = 0,  # the first so many questions; 0: all
) -> list[Example]:
    """The questions of one split. Raises `DataError` when a file is missing, empty, or of another data set.

    Raises `BadRows` naming every question that cannot be used.
    """
    file = _question_file(folder, split, "all" if split in all_questions else questions)
    reader = _Reader(
        file=file,
        images=ImageFinder(folder, ["images", "images.zip", "allImages/images", f"images/{split}"]),
        scene_graphs=SceneGraphs(folder, split) if boxes or graphs else None,
        boxes=boxes,
        graphs=graphs,
        choices=_choices(folder, split, choices),
    )
    examples: list[Example] = []
    bad: list[RowError] = []
    for number, (part, question_id, entry) in enumerate(_entries(file)):
        if limit and number >= limit:
            break
        try:
            examples.append(reader.example(question_id, entry, part))
        except DataError as error:
            bad.append(RowError(str(error), origin=part, row_id=question_id))
    raise_rows(bad, usable=examples)
    return examples


@dataclass(frozen=True)
class _Choices:
    """The valid and plausible answers by question id, and the name of their file."""

    file: str
    entries: Mapping[str, Any]


@dataclass
class _Reader:
    """Makes examples of a split's entries, and remembers the ids."""

    file: Path
    images: ImageFinder
    scene_graphs: SceneGraphs | None
    boxes: bool
    graphs: bool
    choices: _Choices | None
    ids: dict[str, str] = field(default_factory=dict)  # question id -> the file it is in

    def example(self, question_id: str, entry: Any, part: str) -> Example:
        """Raises `DataError` saying why the entry cannot be used."""
        first = self.ids.setdefault(question_id, part)
        if first != part:
            raise DataError(f"the id was given already, in {first}")
        if lacks := _missing(entry):
            raise DataError(f"no GQA question: it lacks {lacks}")
        image_id = str(entry["imageId"])
        values: dict[str, Any] = {
            "text": entry["question"],
            "images": (self.images.find(image_id),),
            "answer": entry.get("answer"),
        }
        info = _info(entry, image_id)
        if self.scene_graphs is not None:
            graph = self.scene_graphs.graph(image_id)
            if self.boxes:
                values["boxes"] = (self.scene_graphs.boxes(image_id),)
                if graph["objects"]:
                    info["objects"] = tuple(graph["objects"])  # the scene graph's id of each box
            if self.graphs:
                values["graph"] = graph
        if self.choices is not None:
            info |= _allowed(self.choices, question_id, is_balanced=info["is_balanced"])
        return Example(question_id, values, info, f"{self.file.name}, {question_id}")


def _question_file(folder: Path, split: str, questions: str) -> Path:
    """The file, or the folder of parts ("train_all_questions"), of one split."""
    if questions not in ("balanced", "all"):
        raise DataError(f"questions is {questions!r}; 'balanced' or 'all' is expected")
    stem = f"{split}_{questions}_questions"
    for parts in (folder / "questions" / stem, folder / stem):
        if parts.is_dir():
            return parts
    return first_file(
        folder,
        [f"questions/{stem}.json", f"{stem}.json"],
        wanted=f"file with the {questions} questions of split {split!r}",
    )


def _entries(file: Path) -> Iterator[tuple[str, str, Any]]:
    """(name of its file, question id, entry) of every question. Raises `DataError` for files of another kind."""
    is_empty = True
    for part in sorted(file.glob("*.json")) if file.is_dir() else [file]:
        content = read_json(part)
        if not isinstance(content, dict):
            raise DataError(f"{part} is no GQA question file: an object keyed by question id is expected")
        if content and all(_missing(entry) for entry in content.values()):
            first, entry = next(iter(content.items()))
            raise DataError(f"{part} is no GQA question file: entry {first!r} lacks {_missing(entry)}")
        for question_id, entry in content.items():
            is_empty = False
            yield part.name, question_id, entry
    if is_empty:
        raise DataError(f"{file} holds no question: the split is empty")


def _missing(entry: Any) -> str:
    """What a question must have and this one has not, in words."""
    wanted = ("question", "imageId")
    return " and ".join(repr(k) for k in wanted if not isinstance(entry, Mapping) or entry.get(k) is None)


def _choices(folder: Path, split: str, wanted: Sequence[str] | None) -> _Choices | None:
    # Nothing measures the training questions, whose choices are the largest file.
    if split == "train" if wanted is None else split not in wanted:
        return None
    name = f"{split}_choices.json"
    places = [f"questions/{name}", f"eval/{name}", name]
    if wanted is None and not any((folder / place).is_file() for place in places):
        return None
    content = read_json(first_file(folder, places, wanted=f"file with the choices of split {split!r}"))
    if not isinstance(content, dict):
        raise DataError(f"{name} is no GQA choices file: an object keyed by question id is expected")
    return _Choices(name, content)


def _allowed(choices: _Choices, question_id: str, *, is_balanced: bool) -> dict[str, tuple[str, ...]]:
    """The valid and plausible answers. An unbalanced question, which is not measured by them, need not have any."""
    entry = choices.entries.get(question_id)
    if entry is None and not is_balanced:
        return {"valid": (), "plausible": ()}
    found = [entry.get(key) if isinstance(entry, Mapping) else None for key in ("valid", "plausible")]
    if not all(isinstance(answers, list) for answers in found):
        raise DataError(
            f"it has no valid and plausible answers in {choices.file}; data.options.choices=[] does without"
        )
    valid, plausible = (tuple(answers or ()) for answers in found)
    return {"valid": valid, "plausible": plausible}


def _info(entry: Mapping[str, Any], image_id: str) -> dict[str, Any]:
    types, groups, annotations = (_table(entry, name) for name in ("types", "groups", "annotations"))
    for part in annotations:
        _table(annotations, part, within="'annotations': ")
    return {
        "image_id": image_id,
        "structural": types.get("structural"),
        "semantic": types.get("semantic"),
        "detailed": types.get("detailed"),
        "group": groups.get("global"),
        "local_group": groups.get("local"),
        "entailed": tuple(_listed(entry, "entailed")),
        "equivalent": tuple(_listed(entry, "equivalent")),
        "program": _program(entry),
        "annotations": annotations,  # which words stand for which objects
        "is_balanced": bool(entry.get("isBalanced", True)),
        "full_answer": entry.get("fullAnswer"),
    }


def _program(entry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    program = _listed(entry, "semantic")
    for number, step in enumerate(program, start=1):
        if not isinstance(step, Mapping) or not {"operation", "argument"} <= step.keys():
            raise DataError(
                f"step {number} of 'semantic' is {step!r:.40}; an object with operation and argument is expected"
            )
    return program


def _table(entry: Mapping[str, Any], name: str, *, within: str = "") -> Mapping[str, Any]:
    """A field that may be absent, null or empty."""
    value = entry.get(name) or {}
    if not isinstance(value, Mapping):
        raise DataError(f"{within}{name!r} is {value!r:.40}; an object is expected")
    return value


def _listed(entry: Mapping[str, Any], name: str) -> Sequence[Any]:
    """A field that may be absent, null or empty."""
    value = entry.get(name) or ()
    if not isinstance(value, list | tuple):
        raise DataError(f"{name!r} is {value!r:.40}; a list is expected")
    return value
