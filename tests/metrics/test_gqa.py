"""GQA's measures: the sheet's reference numbers, and the official script spelled out question by question."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest

from chiasm.metrics.gqa import Choices, Question, attention_grid, evaluate, gold_regions, grounding_score, steps
from tests.conftest import SharedData


def question(name: str, answer: str = "yes", **known: object) -> Question:
    return Question(id=name, answer=answer, image=f"image of {name}", **known)  # type: ignore[arg-type]


def random_questions(count: int = 300, seed: int = 0) -> tuple[list[Question], dict[str, str]]:
    random = np.random.default_rng(seed)
    answers = ["yes", "no", "red", "blue", "dog"]
    questions = [
        Question(
            id=str(i),
            answer=str(random.choice(answers)),
            image=str(random.integers(60)),
            structural=str(random.choice(["verify", "query", "choose"])),
            semantic=str(random.choice(["obj", "attr"])),
            detailed=str(random.choice(["relS", "objCommon"])),
            group=random.choice([None, "color", "animal"]),
            entailed=tuple(str(e) for e in random.integers(0, count, random.integers(4))),
            words=int(random.integers(3, 12)),
            steps=int(random.integers(1, 4)),
            balanced=bool(random.random() < 0.8),
        )
        for i in range(count)
    ]
    predictions = {
        q.id: q.answer if random.random() < 0.6 else str(random.choice([*answers, "tree"])) for q in questions
    }
    return questions, predictions


def by_the_definition(questions: list[Question], predictions: dict[str, str]) -> dict[str, float]:
    """The official script's measures, one question at a time."""
    answer_of = {q.id: q.answer for q in questions}
    lists = defaultdict(list)
    true, guessed = defaultdict(Counter), defaultdict(Counter)
    for q in questions:
        if not q.balanced:
            continue
        right = float(predictions[q.id] == q.answer)
        names = ["accuracy", "open" if q.structural == "query" else "binary"]
        names += [f"accuracy/{f}/{getattr(q, f)}" for f in ("structural", "semantic", "detailed", "words", "steps")]
        for name in names:
            lists[name].append(right)
        others = [e for e in q.entailed if e != q.id]
        if right and others:
            lists["consistency"].append(sum(predictions[e] == answer_of[e] for e in others) / len(others))
        if q.group is not None:
            true[q.group][q.answer] += 1
            guessed[q.group][predictions[q.id]] += 1
    found = {name: sum(values) / len(values) for name, values in lists.items()}
    total = weight = 0.0
    for group, counts in true.items():
        chi = sum((guessed[group][a] - n) ** 2 / n for a, n in counts.items())
        total, weight = total + chi * counts.total(), weight + counts.total()
    return found | {"distribution": total / weight / 100}


def test_every_measure_equals_the_official_definition() -> None:
    questions, predictions = random_questions()
    measures = evaluate(questions, predictions, all_entailed=True)
    expected = by_the_definition(questions, predictions) | {"entailed_known": 1.0}
    assert {name: m.value for name, m in measures.items()} == pytest.approx(expected)
    assert all(m.low <= m.value <= m.high for m in measures.values())


def test_distribution_equals_the_sheets_reference() -> None:
    pairs = [("red", "red")] * 2 + [("red", "green"), ("blue", "blue")]
    animals = [("dog", "dog")] * 4 + [("cat", "dog"), ("cat", "cat")]
    questions, predictions = [], {}
    for i, (group, (true, guess)) in enumerate([("color", p) for p in pairs] + [("animal", p) for p in animals]):
        questions.append(question(str(i), true, group=group))
        predictions[str(i)] = guess
    measure = evaluate(questions, predictions)["distribution"]
    assert measure.value == pytest.approx(0.005833, abs=1e-6)
    for group, expected in (("color", 0.333333), ("animal", 0.750000)):
        alone = evaluate([q for q in questions if q.group == group], predictions)["distribution"]
        assert 100 * alone.value == pytest.approx(expected, abs=1e-6)
    assert 0 <= measure.low <= measure.value <= measure.high


def test_consistency_equals_the_sheets_reference() -> None:
    entails = {"1": ("2", "3", "1"), "2": ("1",), "3": ("1", "2"), "4": ("4",), "5": ("3",)}  # not of itself
    questions = [question(name, entailed=ids) for name, ids in entails.items()]
    predictions = dict.fromkeys(entails, "yes") | {"3": "no"}
    measures = evaluate(questions, predictions)
    assert measures["consistency"].value == pytest.approx(0.5)
    assert measures["consistency"].n == 3
    assert measures["accuracy"].value == pytest.approx(0.8)


def test_entailed_questions_that_are_not_known_are_counted_or_refused() -> None:
    questions = [question("1", entailed=("2", "elsewhere")), question("2")]
    measures = evaluate(questions, {"1": "yes", "2": "yes"})
    assert measures["consistency"].value == 1.0
    assert measures["entailed_known"].value == 0.5
    with pytest.raises(ValueError, match="elsewhere"):
        evaluate(questions, {"1": "yes", "2": "yes"}, all_entailed=True)


def test_unbalanced_questions_count_only_as_entailed_ones() -> None:
    questions = [question("1", entailed=("2",)), replace(question("2"), balanced=False)]
    measures = evaluate(questions, {"1": "yes", "2": "no"})
    assert measures["accuracy"].value == 1.0
    assert measures["consistency"].value == 0.0


def test_validity_and_plausibility_ask_whether_the_answer_is_listed() -> None:
    questions = [question("1"), question("2"), question("3", detailed="objCommonS")]
    choices = {"1": Choices({"yes", "no"}, {"yes"}), "2": Choices({"yes"}, {"yes"}), "3": Choices((), ())}
    measures = evaluate(questions, {"1": "no", "2": "maybe", "3": "color"}, choices=choices)
    assert measures["validity"].value == pytest.approx(2 / 3)
    assert measures["plausibility"].value == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="no choices for 1 question"):
        evaluate(questions, dict.fromkeys("123", "no"), choices={"1": choices["1"], "2": choices["2"]})


def test_measures_that_cannot_be_had_are_left_out() -> None:
    assert set(evaluate([question("1")], {"1": "yes"})) == {"accuracy"}


def test_missing_predictions_are_named() -> None:
    with pytest.raises(ValueError, match=r"no prediction for 1 question\(s\): 7"):
        evaluate([question("7")], {})


def test_intervals_resample_images_not_questions() -> None:
    right = ["yes" if i % 2 else "no" for i in range(40)]
    alone = [question(str(i)) for i in range(40)]
    together = [replace(q, image=str(int(q.id) % 2)) for q in alone]
    predictions = {str(i): right[i] for i in range(40)}
    narrow, wide = (evaluate(qs, predictions)["accuracy"] for qs in (alone, together))
    assert narrow.value == wide.value == 0.5
    assert (wide.low, wide.high) == (0.0, 1.0)
    assert narrow.high - narrow.low < 0.4


def test_grounding_is_attention_times_the_share_of_its_box_in_a_gold_region() -> None:
    attention = [((0.0, 0.0, 0.5, 0.5), 0.75), ((0.5, 0.5, 1.0, 1.0), 0.25), ((0.0, 0.0, 0.0, 0.0), 1.0)]
    regions = [(0.25, 0.0, 1.0, 0.5), (0.0, 0.0, 1.0, 1.0)]
    assert grounding_score(attention, regions) == pytest.approx(0.75 * 0.5 + 1.0)
    measures = evaluate([question("1"), question("2")], {"1": "", "2": ""}, grounding={"1": 0.2, "2": 0.6})
    assert measures["grounding"].value == pytest.approx(0.4)


def test_gold_regions_are_the_objects_that_question_and_full_answer_name() -> None:
    annotations = {"answer": {"0": "9"}, "question": {"3": "7"}, "fullAnswer": {"1": "8", "6": "7"}}
    objects = {"7": {"x": 20, "y": 10, "w": 40, "h": 30}, "8": {"x": 0, "y": 0, "w": 200, "h": 100}}
    graph = {"width": 200, "height": 100, "objects": objects}
    seven, eight = (0.1, 0.1, 0.3, 0.4), (0.0, 0.0, 1.0, 1.0)
    regions = gold_regions(annotations, graph)
    assert [pytest.approx(box) for box in regions] == [seven, eight, seven]
    with pytest.raises(ValueError, match="object 9 is not in the scene graph"):
        gold_regions({"question": {"0": "9"}}, graph)


def test_a_map_of_attention_becomes_its_cells() -> None:
    cells = attention_grid(np.array([[0.1, 0.2], [0.3, 0.4]]))
    assert cells[1] == ((0.0, 0.5, 0.5, 1.0), pytest.approx(0.2))
    assert sum(p for _, p in cells) == pytest.approx(1.0)


def test_the_final_query_is_not_a_reasoning_step(shared_data: SharedData) -> None:
    official = json.loads((shared_data("real_pairs") / "gqa" / "questions.json").read_text())["202218649"]
    assert steps(official["semantic"]) == 2
    assert steps([{"operation": "select", "argument": "cat"}, {"operation": "exist", "argument": "?"}]) == 1
