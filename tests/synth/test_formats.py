"""The files are what the official ones are, and agree with each other."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from chiasm.synth.answers import MOST_WRONG
from chiasm.synth.captions import ANNOTATORS
from tests.synth.executor import Files

SPLITS = ("train", "val", "test")


@pytest.mark.parametrize("split", SPLITS)
def test_gqa_files_have_the_official_fields(scenes: Files, split: str) -> None:
    question = next(iter(scenes.questions(split).values()))
    official = "semantic entailed equivalent question imageId isBalanced groups answer semanticStr annotations types "
    assert question.keys() == {*official.split(), "fullAnswer"}
    assert question["groups"].keys() == {"global", "local"}
    assert question["types"].keys() == {"structural", "semantic", "detailed"}
    assert question["annotations"].keys() == {"answer", "question", "fullAnswer"}
    graph = next(iter(scenes.graphs(split).values()))
    assert graph.keys() == {"width", "height", "location", "objects"}
    for thing in graph["objects"].values():
        assert thing.keys() == {"name", "x", "y", "w", "h", "attributes", "relations"}
        assert all(relation["object"] in graph["objects"] for relation in thing["relations"])


@pytest.mark.parametrize("split", SPLITS)
def test_every_question_has_its_picture_and_graph(scenes: Files, split: str) -> None:
    for question in scenes.questions(split).values():
        assert question["imageId"] in scenes.graphs(split)
        assert (scenes.folder / f"images/{question['imageId']}.png").is_file()


def test_ids_are_unique_over_splits(scenes: Files) -> None:
    questions = [name for split in SPLITS for name in scenes.questions(split)]
    objects = [name for split in SPLITS for graph in scenes.graphs(split).values() for name in graph["objects"]]
    assert len(set(questions)) == len(questions)
    assert len(set(objects)) == len(objects)


@pytest.mark.parametrize("split", SPLITS)
def test_vqa_asks_the_same_questions_and_some_about_numbers(scenes: Files, split: str) -> None:
    asked = scenes.json("vqa", f"v2_OpenEnded_mscoco_{split}_questions.json")["questions"]
    gqa = scenes.questions(split)
    counting = 0
    for question in asked:
        other = gqa.get(str(question["question_id"]))
        if other is None:
            assert question["question"].startswith("How many")
            counting += 1
        else:
            assert (question["question"], str(question["image_id"])) == (other["question"], other["imageId"])
    assert len(asked) == len(gqa) + counting
    assert counting > 20


def test_most_of_ten_people_give_the_true_answer(scenes: Files) -> None:
    annotations = scenes.json("vqa", "v2_mscoco_train_annotations.json")["annotations"]
    gqa = scenes.questions("train")
    wrong = 0
    for entry in annotations:
        given = [answer["answer"] for answer in entry["answers"]]
        assert [answer["answer_id"] for answer in entry["answers"]] == list(range(1, 11))
        assert Counter(given).most_common(1)[0][0] == entry["multiple_choice_answer"]
        assert given.count(entry["multiple_choice_answer"]) >= 10 - MOST_WRONG
        true = gqa.get(str(entry["question_id"]))
        assert true is None or entry["multiple_choice_answer"] == true["answer"]
        wrong += 10 - given.count(entry["multiple_choice_answer"])
    assert 0.03 < wrong / (10 * len(annotations)) < 0.09


def test_vqa_annotations_tell_the_types_of_question_and_answer(scenes: Files) -> None:
    asked = {q["question_id"]: q for q in scenes.json("vqa", "v2_OpenEnded_mscoco_train_questions.json")["questions"]}
    types = Counter()
    for entry in scenes.json("vqa", "v2_mscoco_train_annotations.json")["annotations"]:
        answer = entry["multiple_choice_answer"]
        expected = "yes/no" if answer in ("yes", "no") else "number" if answer.isdigit() else "other"
        assert entry["answer_type"] == expected
        start = "besides the " if entry["question_type"] == "none of the above" else entry["question_type"]
        assert asked[entry["question_id"]]["question"].lower().startswith(start)
        types[expected] += 1
    assert types.keys() == {"yes/no", "number", "other"}


def test_counts_are_right(scenes: Files) -> None:
    """How many red things: counted in the scene graph by the words of the question."""
    asked = scenes.json("vqa", "v2_OpenEnded_mscoco_train_questions.json")["questions"]
    answers = {
        entry["question_id"]: entry["multiple_choice_answer"]
        for entry in scenes.json("vqa", "v2_mscoco_train_annotations.json")["annotations"]
    }
    categories = scenes.info["categories"]
    for question in asked:
        if question["question"].startswith("How many"):
            words = (
                question["question"].removeprefix("How many ").split(" are ")[0].replace("pieces of ", "").split(" ")
            )
            words = ["wood" if word == "wooden" else word for word in words]
            things = scenes.graphs("train")[str(question["image_id"])]["objects"].values()
            nouns = ({t["name"], f"{t['name']}s", "things", *_category(t["name"], categories)} for t in things)
            found = sum(
                words[-1] in noun and all(word in thing["attributes"] for word in words[:-1])
                for thing, noun in zip(things, nouns, strict=True)
            )
            assert str(found) == answers[question["question_id"]], question["question"]


def _category(shape: str, categories: dict[str, list[str]]) -> set[str]:
    name = next(category for category, shapes in categories.items() if shape in shapes)
    return {name, f"{name}s"}


def test_instances_have_exact_masks_and_boxes(scenes: Files) -> None:
    found = scenes.json("instances", "instances_val.json")
    pictures = {
        image["id"]: np.asarray(Image.open(scenes.folder / "images" / image["file_name"])) for image in found["images"]
    }
    covered = {name: np.zeros(picture.shape[:2], int) for name, picture in pictures.items()}
    for entry in found["annotations"]:
        height, width = entry["segmentation"]["size"]
        runs = entry["segmentation"]["counts"]
        flat = np.repeat(np.arange(len(runs)) % 2, runs)
        mask = flat.reshape(width, height).T
        assert mask.sum() == entry["area"]
        x, y, w, h = entry["bbox"]
        rows, columns = np.nonzero(mask)
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x, y, x + w, y + h)
        covered[entry["image_id"]] += mask
    for name, picture in pictures.items():
        np.testing.assert_array_equal(covered[name], (picture != picture[0, 0]).any(-1))


def test_five_people_caption_every_picture(scenes: Files) -> None:
    found = scenes.json("captions", "captions_train.json")
    authors: dict[int, list[str]] = {}
    for entry in found["annotations"]:
        authors.setdefault(entry["image_id"], []).append(entry["annotator"])
    assert authors.keys() == {image["id"] for image in found["images"]}
    assert all(names == list(ANNOTATORS) for names in authors.values())


def test_captions_are_true_but_some_hasty_ones(scenes: Files) -> None:
    """Every "<attributes> <shape>" in a caption is in the picture, unless it is marked as not correct."""
    shapes = [shape for names in scenes.info["categories"].values() for shape in names]
    wrong = Counter()
    for entry in scenes.json("captions", "captions_train.json")["annotations"]:
        things = scenes.graphs("train")[str(entry["image_id"])]["objects"].values()
        words = entry["caption"].lower().replace(",", "").rstrip(".").replace("wooden", "wood").split(" ")
        values = {v for kind in ("color", "size", "material") for v in scenes.info["vocabulary"][kind]}
        true = True
        for number, word in enumerate(words):
            if word in shapes:
                said = [w for w in words[max(0, number - 3) : number] if w in values]
                true &= any(t["name"] == word and all(w in t["attributes"] for w in said) for t in things)
        assert true == entry["correct"], entry["caption"]
        wrong[entry["annotator"]] += not true
    assert wrong["hasty"] > 50
    assert wrong.total() == wrong["hasty"]


def test_the_careful_annotator_says_most_and_the_terse_one_least(scenes: Files) -> None:
    lengths: dict[str, list[int]] = {}
    for entry in scenes.json("captions", "captions_train.json")["annotations"]:
        lengths.setdefault(entry["annotator"], []).append(len(entry["caption"].split(" ")))
    mean = {name: sum(values) / len(values) for name, values in lengths.items()}
    assert max(mean, key=mean.__getitem__) == "careful"
    assert min(mean, key=mean.__getitem__) == "terse"
