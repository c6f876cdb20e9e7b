"""Scenes and questions as the official data sets write them: GQA, VQA v2, COCO.

Every function gives the entry of one scene; `production` joins them into files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chiasm.synth.answers import Crowd
from chiasm.synth.captions import Caption
from chiasm.synth.programs import semantic_text
from chiasm.synth.question import Question
from chiasm.synth.questions import entailments
from chiasm.synth.render import mask
from chiasm.synth.scene import Scene
from chiasm.synth.world import CATEGORY_OF, SHAPES

CATEGORY_IDS = {shape: number for number, shape in enumerate(SHAPES, start=1)}
QUESTION_IDS = 100  # question ids are the image id times this, plus the question's number


def object_ids(scene: Scene) -> list[str]:
    """One id per thing, unique in the world."""
    return [str(scene.image_id * 100 + number) for number in range(len(scene.things))]


def scene_graph(scene: Scene) -> dict[str, Any]:
    """The scene as an entry of GQA's sceneGraphs JSON.

    `location` is the ground; a sign's word is its last attribute.
    """
    ids = object_ids(scene)
    relations: list[list[dict[str, str]]] = [[] for _ in ids]
    for subject, name, anchor in scene.relations():
        relations[subject].append({"name": name, "object": ids[anchor]})
    objects = {}
    for number, thing in enumerate(scene.things):
        attributes = [thing.color, thing.size, thing.material]
        objects[ids[number]] = {
            "name": thing.shape,
            "x": thing.x,
            "y": thing.y,
            "w": thing.width,
            "h": thing.height,
            "attributes": [*attributes, thing.word] if thing.word else attributes,
            "relations": relations[number],
        }
    return {"width": scene.image_size, "height": scene.image_size, "location": scene.place, "objects": objects}


def question_id(scene: Scene, number: int) -> int:
    """The id of the scene's question `number`, the same in the GQA and VQA files."""
    return scene.image_id * QUESTION_IDS + number


def gqa_questions(scene: Scene, questions: Sequence[Question]) -> dict[str, dict[str, Any]]:
    """The scene's questions as entries of GQA's balanced questions JSON."""
    ids = object_ids(scene)
    names = [str(question_id(scene, number)) for number in range(len(questions))]
    entries = {}
    for name, question, entailed in zip(names, questions, entailments(list(questions)), strict=True):
        semantic = [step.semantic(ids) for step in question.steps]
        thing = question.answer_thing
        entries[name] = {
            "semantic": semantic,
            "entailed": [names[other] for other in entailed],
            "equivalent": [name],
            "question": question.text,
            "imageId": scene.stem,
            "isBalanced": True,
            "groups": {"global": question.group, "local": question.form},
            "answer": question.answer,
            "semanticStr": semantic_text(semantic),
            "annotations": {
                "answer": {} if thing is None else {"0": ids[thing]},
                "question": {span: ids[number] for span, number in question.spans.items()},
                "fullAnswer": {},
            },
            "types": {
                "structural": question.structural,
                "semantic": question.semantic,
                "detailed": question.family,
            },
            "fullAnswer": question.statement,
        }
    return entries


def vqa_question(scene: Scene, number: int, text: str) -> dict[str, Any]:
    """An entry of VQA v2's questions JSON."""
    return {"image_id": scene.image_id, "question": text, "question_id": question_id(scene, number)}


def vqa_annotation(scene: Scene, number: int, crowd: Crowd) -> dict[str, Any]:
    """An entry of VQA v2's annotations JSON: ten people's answers."""
    return {
        "question_type": crowd.question_type,
        "multiple_choice_answer": crowd.most_common,
        "answers": [
            {"answer": answer, "answer_confidence": confidence, "answer_id": person}
            for person, (answer, confidence) in enumerate(crowd.answers, start=1)
        ],
        "image_id": scene.image_id,
        "answer_type": crowd.answer_type,
        "question_id": question_id(scene, number),
    }


def coco_image(scene: Scene) -> dict[str, Any]:
    """An entry of a COCO file's `images`."""
    size = scene.image_size
    return {"id": scene.image_id, "file_name": f"{scene.stem}.png", "width": size, "height": size}


def coco_caption(scene: Scene, number: int, caption: Caption) -> dict[str, Any]:
    """An entry of COCO captions' `annotations`; `annotator` and `correct` are ours."""
    return {
        "image_id": scene.image_id,
        "id": scene.image_id * 10 + number,
        "caption": caption.text,
        "annotator": caption.annotator,
        "correct": caption.correct,
    }


def run_lengths(scene: Scene, number: int) -> list[int]:
    """The thing's mask as COCO's uncompressed runs: off, on, off, ... down the columns."""
    flat = mask(scene, number).T.reshape(-1)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate(([0], edges, [flat.size]))
    runs: list[int] = np.diff(bounds).tolist()
    return [0, *runs] if flat[0] else runs


def coco_instances(scene: Scene) -> list[dict[str, Any]]:
    """The things as entries of COCO instances' `annotations`, with exact masks."""
    entries = []
    for number, thing in enumerate(scene.things):
        runs = run_lengths(scene, number)
        entries.append(
            {
                "id": scene.image_id * 100 + number,
                "image_id": scene.image_id,
                "category_id": CATEGORY_IDS[thing.shape],
                "bbox": [thing.x, thing.y, thing.width, thing.height],
                "area": sum(runs[1::2]),
                "iscrowd": 0,
                "segmentation": {"size": [scene.image_size, scene.image_size], "counts": runs},
            }
        )
    return entries


def coco_categories() -> list[dict[str, Any]]:
    """COCO instances' `categories`."""
    return [{"id": n, "name": shape, "supercategory": CATEGORY_OF[shape]} for shape, n in CATEGORY_IDS.items()]


def vqa_header(split: str) -> Mapping[str, Any]:
    """What VQA v2's files say before their entries."""
    return {
        "info": {"description": "Generated by chiasm.synth in the format of VQA v2", "version": "2.0"},
        "task_type": "Open-Ended",
        "data_type": "mscoco",
        "data_subtype": split,
    }
