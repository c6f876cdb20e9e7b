"""Which examples are shown: fair to types and to mistakes."""

from __future__ import annotations

from collections import Counter

from chiasm.data.example import Example
from chiasm.report.choice import choose, explained, is_right, types_in_turn
from chiasm.tasks import Prediction
from tests.explain.planted import ColourTask
from tests.serve.small import examples, small_bundle


def row(name: str, kind: str = "", image: str = "") -> Example:
    values = {"images": (image,)} if image else {}
    return Example(name, values, {"detailed": kind})


def test_wrong_answers_are_shown_in_their_share_and_types_in_turn() -> None:
    rows = [row(f"r{i}", kind) for i, kind in enumerate(["a"] * 60 + ["b"] * 30 + ["c"] * 10)]
    right = [i % 4 != 0 for i in range(100)]
    chosen = choose(rows, right, 8, seed=1)
    assert len(set(chosen)) == 8
    assert sum(not right[i] for i in chosen) == 2
    assert set(Counter(rows[i].info["detailed"] for i in chosen)) == {"a", "b", "c"}
    assert chosen == choose(rows, right, 8, seed=1)


def test_one_mistake_is_shown_however_rare_it_is() -> None:
    rows = [row(f"r{i}") for i in range(100)]
    assert 57 in choose(rows, [i != 57 for i in range(100)], 8)


def test_fewer_examples_than_asked_for_are_all_shown() -> None:
    rows = [row("a"), row("b"), row("c")]
    assert choose(rows, [True, False, False], 8) == [0, 1, 2]
    assert choose(rows, [False, False, False], 2) == choose(rows, [False, False, False], 2)
    assert choose([], [], 8) == []


def test_each_example_has_a_picture_of_its_own_while_there_are_any() -> None:
    rows = [row("a", image="1"), row("b", image="1"), row("c", image="2"), row("d", image="3")]
    assert types_in_turn(rows, range(4), 3) == [0, 2, 3]
    assert types_in_turn(rows, range(4), 4) == [0, 2, 3, 1]


def test_an_answer_is_right_by_the_official_measure_and_open_without_one() -> None:
    (one,) = examples(1)
    known = Example(one.id, {**one.values, "answer": "red"})
    assert is_right(ColourTask(), Prediction(one.id, "red", 0.9), known) is True
    assert is_right(ColourTask(), Prediction(one.id, "blue", 0.9), known) is False
    assert is_right(ColourTask(), Prediction(one.id, "red", 0.9), one) is None


def test_the_chosen_examples_come_explained_and_judged() -> None:
    rows = [Example(r.id, {**r.values, "answer": "red"}) for r in examples(5)]
    said = [Prediction(r.id, "red" if i else "blue", 0.5) for i, r in enumerate(rows)]
    shown = explained(small_bundle(rows), rows, said, 3)
    assert [example.explanation.prediction.id for example in shown if example.correct is False] == ["q0"]
    assert all(example.explanation.attributions for example in shown)
