"""VQA accuracy equals the official definition, spelled out as a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from chiasm.data.answers import soft_scores
from chiasm.metrics.vqa import References, clean, evaluate, soft_score


def by_the_definition(predicted: str, answers: Sequence[str], normalise: Callable[[str], str]) -> float:
    """One question, as the official evaluation defines it: leave each annotator out in turn."""
    answers, predicted = [clean(a) for a in answers], clean(predicted)
    if len(set(answers)) > 1:
        answers, predicted = [normalise(a) for a in answers], normalise(predicted)
    accuracies = []
    for left_out in range(len(answers)):
        others = answers[:left_out] + answers[left_out + 1 :]
        agreeing = sum(a.lower() == predicted.lower() for a in others)
        accuracies.append(min(1, agreeing / 3))
    return sum(accuracies) / len(accuracies)


def no_articles(answer: str) -> str:
    return " ".join({"two": "2"}.get(w, w) for w in answer.lower().split() if w not in ("a", "the"))


WORDS = ["cat", "a cat", "The cat", "two", "2", " 2\n", "dog", "CAT", "two cats", ""]


def test_score_depends_on_the_number_of_annotators_only() -> None:
    assert soft_score(np.arange(11)) == pytest.approx([0, 0.3, 0.6, 0.9] + [1.0] * 7)


@pytest.mark.parametrize("annotators", [4, 5, 10])
def test_vectorised_scores_equal_the_definition(annotators: int) -> None:
    random = np.random.default_rng(annotators)
    answers = [list(random.choice(WORDS[: random.integers(1, 10)], annotators)) for _ in range(500)]
    predictions = list(random.choice([*WORDS, "never seen"], 500))
    expected = [by_the_definition(p, ten, no_articles) for p, ten in zip(predictions, answers, strict=True)]
    assert References(answers, normalise=no_articles).scores(predictions) == pytest.approx(expected)


def test_answers_are_normalised_only_where_annotators_disagree() -> None:
    references = References([["a cat"] * 10, ["a cat"] * 9 + ["dog"]], normalise=no_articles)
    assert references.scores(["cat", "cat"]).tolist() == [0.0, 1.0]
    assert references.scores(["a cat", "the cat"]).tolist() == [1.0, 1.0]


def test_questions_may_have_different_numbers_of_annotators() -> None:
    references = References([["x"] * 10, ["x", "y", "x", "y"], ["x", "y", "x"]])
    expected = [1.0, by_the_definition("x", ["x", "y", "x", "y"], str), 2 / 3]
    assert references.scores(["x", "x", "x"]) == pytest.approx(expected)


@pytest.mark.parametrize("annotators", range(1, 12))
def test_an_answer_is_worth_what_it_is_as_a_target(annotators: int) -> None:
    for matches in range(1, annotators + 1):
        given = ["x"] * matches + [f"other {i}" for i in range(annotators - matches)]
        assert soft_score(matches, annotators) == soft_scores(given)["x"]
        assert References([given]).scores(["x"]).tolist() == [soft_scores(given)["x"]]


def test_scores_keep_the_shape_they_were_asked_for() -> None:
    scores = soft_score([[0, 1], [2, 3]], [[1, 1], [2, 10]])
    assert scores == pytest.approx(np.array([[0.0, 1.0], [1.0, 0.9]]))
    assert soft_score([], []).shape == (0,)


def test_a_question_without_answers_is_refused_with_its_position() -> None:
    with pytest.raises(ValueError, match="question 1"):
        References([["x"], []])


def test_another_number_of_predictions_is_refused() -> None:
    with pytest.raises(ValueError, match="2 predictions for 1 questions"):
        References([["x"]]).scores(["x", "y"])
    with pytest.raises(ValueError, match="answer 0 is None"):
        References([["x"]]).scores([None])  # type: ignore[list-item]


def test_accuracy_is_reported_by_answer_and_question_type() -> None:
    measures = evaluate(
        np.array([1.0, 0.0, 0.3, 0.6]),
        answer_types=["yes/no", "yes/no", "number", "other"],
        question_types=["is the", "is the", "how many", "what"],
        images=["1", "1", "2", "3"],
    )
    values = {name: estimate.value for name, estimate in measures.items()}
    assert values == pytest.approx(
        {
            "accuracy": 0.475,
            "accuracy/answer/yes/no": 0.5,
            "accuracy/answer/number": 0.3,
            "accuracy/answer/other": 0.6,
            "accuracy/question/is the": 0.5,
            "accuracy/question/how many": 0.3,
            "accuracy/question/what": 0.6,
        }
    )
    assert all(e.low <= e.value <= e.high for e in measures.values())
