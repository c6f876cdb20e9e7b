"""GQA (Hudson and Manning, CVPR 2019): compositional questions about real images, with programs and scene graphs.

The generated world writes the same format. What metrics need is in `info`: `structural`, `semantic`, `detailed`
(types), `group`, `entailed`, `equivalent`, `image_id`, `program` (functional steps), `is_balanced`, `full_answer`; with
`choices` also `valid` and `plausible`, the answers that are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example
from chiasm.data.sources._files import ImageFinder, first_file, read_json
from chiasm.data.sources._scene_graphs import Graph, boxes_of, read_scene_graphs

SPLITS: tuple[str, ...] = ("train", "val", "testdev", "test", "challenge", "submission")
FILES = """questions/<split>_balanced_questions.json   (or <split>_all_questions.json, or a folder of its parts)
images/<image id>.jpg                       (not needed with a feature store)
sceneGraphs/<split>_sceneGraphs.json        (only for boxes = true or graphs = true)
questions/<split>_choices.json              (only for choices: validity and plausibility)"""


def read(
    folder: Path,
    split: str,
    *,
    questions: str = "balanced",  # or "all": which of the two official files
    boxes: bool = False,  # the objects' boxes of the scene graphs as regions
    graphs: bool = False,  # the scene graphs themselves
    choices: Sequence[str] = (),  # splits whose valid and plausible answers are read, for the measures of these names
    limit: int = 0,  # the first so many questions; 0: all
) -> list[Example]:
    """The questions of one split. Raises `DataError` when a file is missing, empty, or of another data set."""
    file = _question_file(folder, split, questions)
    entries = _entries(file)
    scene_graphs = read_scene_graphs(folder, split) if boxes or graphs else {}
    corners = {image: boxes_of(graph) for image, graph in scene_graphs.items()}  # one list an image, shared by its rows
    allowed = _choices(folder, split) if split in choices else None
    images = ImageFinder(folder, ["images", "images.zip", "allImages/images", f"images/{split}"])
    examples = []
    for number, (question_id, entry) in enumerate(entries.items()):
        if limit and number >= limit:
            break
        _check(entry, question_id, file)
        image_id = str(entry["imageId"])
        values: dict[str, Any] = {
            "text": entry["question"],
            "images": (images.find(image_id),),
            "answer": entry.get("answer"),
        }
        objects: tuple[str, ...] = ()
        if boxes or graphs:
            graph = _graph(scene_graphs, image_id, question_id, split)
            if boxes:
                values["boxes"], objects = (corners[image_id],), tuple(graph["objects"])
            if graphs:
                values["graph"] = graph
        info = _info(entry, image_id, objects)
        if allowed is not None:
            info |= _allowed(allowed, question_id, split)
        examples.append(Example(question_id, values, info, f"{file.name}, {question_id}"))
    return examples


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


def _entries(file: Path) -> dict[str, Any]:
    parts = sorted(file.glob("*.json")) if file.is_dir() else [file]
    entries: dict[str, Any] = {}
    for part in parts:
        content = read_json(part)
        if not isinstance(content, dict):
            raise DataError(f"{part} is no GQA question file: an object keyed by question id is expected")
        entries.update(content)
    if not entries:
        raise DataError(f"{file} holds no question: the split is empty")
    return entries


def _check(entry: Any, question_id: str, file: Path) -> None:
    missing = [k for k in ("question", "imageId") if not isinstance(entry, Mapping) or k not in entry]
    if missing:
        raise DataError(
            f"{file} is no GQA question file: entry {question_id!r} lacks {' and '.join(map(repr, missing))}"
        )


def _graph(graphs: Mapping[str, Graph], image_id: str, question_id: str, split: str) -> Graph:
    if image_id not in graphs:
        raise DataError(
            f"question {question_id}: image {image_id} has no scene graph in {split}_sceneGraphs.json. "
            "Are they of another split? (GQA publishes none for testdev and test.)"
        )
    return graphs[image_id]


def _choices(folder: Path, split: str) -> Mapping[str, Any]:
    name = f"{split}_choices.json"
    places = [f"questions/{name}", f"eval/{name}", name]
    content = read_json(first_file(folder, places, wanted=f"file with the choices of split {split!r}"))
    if not isinstance(content, dict):
        raise DataError(f"{name} is no GQA choices file: an object keyed by question id is expected")
    return content


def _allowed(choices: Mapping[str, Any], question_id: str, split: str) -> dict[str, tuple[str, ...]]:
    entry = choices.get(question_id)
    if not isinstance(entry, Mapping) or not {"valid", "plausible"} <= set(entry):
        raise DataError(f"question {question_id} has no valid and plausible answers in {split}_choices.json")
    return {"valid": tuple(entry["valid"]), "plausible": tuple(entry["plausible"])}


def _info(entry: Mapping[str, Any], image_id: str, objects: tuple[str, ...]) -> dict[str, Any]:
    types, groups = entry.get("types") or {}, entry.get("groups") or {}
    info = {
        "image_id": image_id,
        "structural": types.get("structural"),
        "semantic": types.get("semantic"),
        "detailed": types.get("detailed"),
        "group": groups.get("global"),
        "local_group": groups.get("local"),
        "entailed": tuple(entry.get("entailed") or ()),
        "equivalent": tuple(entry.get("equivalent") or ()),
        "program": entry.get("semantic") or (),
        "annotations": entry.get("annotations") or {},  # which words stand for which objects
        "is_balanced": bool(entry.get("isBalanced", True)),
        "full_answer": entry.get("fullAnswer"),
    }
    if objects:
        info["objects"] = objects  # the scene graph's id of each box
    return info
