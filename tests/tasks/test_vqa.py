"""The VQA task: official soft scores as targets, official accuracy, official file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from chiasm.batch import Output
from chiasm.data.example import DataError, Example
from chiasm.tasks import Prediction
from chiasm.tasks.vqa import Vqa
from tests.conftest import SharedData

QUESTIONS = [
    Example("1", {"answer": ["Red."] * 7 + ["a blue"] * 3}, {"answer_type": "other", "image_id": "5"}),
    Example("2", {"answer": ["two"] * 10}, {"answer_type": "number", "image_id": "5"}),
    Example("3", {"answer": ["yes"] * 2 + ["no"] * 8}, {"answer_type": "yes/no", "image_id": "6"}),
]


def real_questions(folder: Path) -> list[Example]:
    """The 123 real questions about the photos of coco_mini that have ten answers."""
    entries = json.loads((folder / "vqa_overlap.json").read_text())
    return [
        Example(str(i), {"answer": entry["answers"]}, {"image_id": entry["image"]})
        for i, entry in enumerate(entries)
        if "answers" in entry
    ]


def said(*answers: str) -> list[Prediction]:
    return [Prediction(str(i), answer, 1.0) for i, answer in enumerate(answers, 1)]


def test_targets_are_the_official_scores_of_normalised_answers() -> None:
    task = Vqa(min_count=1).fit(QUESTIONS)
    targets = task.targets(QUESTIONS)["answer"].gather(torch.arange(3))
    assert isinstance(targets, torch.Tensor)
    by_answer = [
        {a: round(s, 4) for a, s in zip(task.vocabulary.answers, row, strict=True) if s} for row in targets.tolist()
    ]
    assert by_answer == [{"red": 1.0}, {"two": 1.0}, {"no": 1.0}]
    everything = Vqa(vocabulary="").fit(QUESTIONS * 9 + [Example("x", {"answer": "blue"})] * 9)
    row = everything.targets(QUESTIONS[:1])["answer"].gather(torch.tensor([0]))
    assert isinstance(row, torch.Tensor)
    assert row[0, everything.vocabulary.number("blue")].item() == pytest.approx(0.9)


def test_the_vocabulary_holds_answers_that_are_the_commonest_often_enough() -> None:
    questions = QUESTIONS * 9 + QUESTIONS[:1] * 5
    assert Vqa().fit(questions).vocabulary.answers == ("red", "no", "two")
    assert Vqa(min_count=10).fit(questions).vocabulary.answers == ("red",)
    assert Vqa(max_size=2).fit(questions).vocabulary.answers == ("red", "no")
    with pytest.raises(DataError, match="no answer occurs at least 99 times"):
        Vqa(min_count=99).fit(questions)


def test_equal_scores_are_decided_by_the_official_commonest_answer() -> None:
    example = Example("1", {"answer": ["cat"] * 4 + ["dog"] * 6}, {})
    assert Vqa(min_count=1).fit([example]).vocabulary.answers == ("dog",)
    marked = Example("1", {"answer": ["cat"] * 5 + ["dog"] * 5}, {"multiple_choice_answer": "dog"})
    assert Vqa(min_count=1).fit([marked]).vocabulary.answers == ("dog",)


def test_a_given_vocabulary_keeps_its_order(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text(json.dumps({"": 0, "two": 1, "red": 2}))
    task = Vqa(vocabulary=str(tmp_path / "answers.json")).fit(QUESTIONS)
    assert task.vocabulary.answers == ("", "two", "red")
    assert task.facts() == {"num_labels": 3, "num_images": 1}


def test_with_cross_entropy_the_best_known_answer_is_the_class() -> None:
    task = Vqa(loss="ce", min_count=1).fit([Example("x", {"answer": "blue"}), QUESTIONS[2]])
    targets = task.targets(QUESTIONS)["answer"].gather(torch.arange(3))
    assert isinstance(targets, torch.Tensor)
    assert targets.tolist() == [task.vocabulary.number("blue"), -1, task.vocabulary.number("no")]


def test_answers_of_another_data_set_are_refused() -> None:
    task = Vqa(min_count=1).fit([Example("x", {"answer": ["entailment"] * 10})])
    with pytest.raises(DataError, match="another data set"):
        task.targets(QUESTIONS)


def test_accuracy_is_official_and_by_type() -> None:
    task = Vqa(min_count=1).fit(QUESTIONS)
    measures = task.evaluate(said("blue", "2", "Yes"), QUESTIONS)
    values = {name: measure.value for name, measure in measures.items()}
    assert values == pytest.approx(
        {
            "accuracy": (0.9 + 0 + 0.6) / 3,  # all ten said "two": there nothing is normalised, "2" is wrong
            "accuracy/answer/other": 0.9,
            "accuracy/answer/number": 0.0,
            "accuracy/answer/yes/no": 0.6,
        }
    )


def test_a_scored_answer_says_itself_what_a_prediction_is_worth() -> None:
    examples = [Example("1", {"answer": {"net": 1.0, "netting": 0.3}}), Example("2", {"answer": {}})]
    task = Vqa(min_count=1).fit(examples)
    assert task.evaluate(said("netting", "net"), examples)["accuracy"].value == pytest.approx(0.15)
    targets = task.targets(examples)["answer"].gather(torch.arange(2))
    assert isinstance(targets, torch.Tensor)
    assert targets.tolist() == [[1.0], [0.0]]  # as LXMERT: an answer outside the vocabulary, not a missing one


def test_an_empty_list_of_annotators_is_no_label() -> None:
    task = Vqa(min_count=1).fit(QUESTIONS)
    targets = task.targets([*QUESTIONS, Example("4", {"answer": []})])["answer"].gather(torch.tensor([3]))
    assert isinstance(targets, torch.Tensor)
    assert targets.tolist() == [[-1.0, -1.0, -1.0]]


def test_a_single_answer_counts_as_everybodys() -> None:
    examples = [Example("1", {"answer": "circle"})]
    task = Vqa(min_count=1).fit(examples)
    assert task.evaluate(said("circle"), examples)["accuracy"].value == 1.0


@pytest.mark.parametrize("annotators", range(1, 11))
def test_the_answer_all_annotators_gave_is_right_however_many_they_are(annotators: int) -> None:
    examples = [Example("1", {"answer": ["yes"] * annotators})]
    task = Vqa(min_count=1).fit(examples)
    assert task.evaluate(said("yes"), examples)["accuracy"].value == 1.0
    assert task.targets(examples)["answer"].gather(torch.tensor([0])).tolist() == [[1.0]]  # type: ignore[union-attr]


@pytest.mark.parametrize("answer", [None, float("nan"), "", [], [None], [None, float("nan")]])
def test_an_example_that_nobody_answered_is_named(answer: object) -> None:
    task, examples = Vqa(min_count=1).fit(QUESTIONS), [QUESTIONS[0], Example("2", {"answer": answer})]
    assert [task.labelled(example) for example in examples] == [True, False]
    with pytest.raises(DataError, match=r"no answer to compare with for the id 2 \(1 in all\)"):
        task.evaluate(said("red", "red"), examples)


def test_an_annotator_who_gave_no_answer_does_not_count() -> None:
    examples = [Example("1", {"answer": ["yes", None, "no"]})]
    task = Vqa(min_count=1).fit(examples)
    assert task.evaluate(said("yes"), examples)["accuracy"].value == 0.5


def test_on_real_questions_accuracy_is_the_target_score_of_the_answer(shared_data: SharedData) -> None:
    examples = real_questions(shared_data("coco_mini"))
    task = Vqa(min_count=1).fit(examples)
    targets = task.targets(examples)["answer"].gather(torch.arange(len(examples)))
    assert isinstance(targets, torch.Tensor)
    scores = torch.sin(torch.arange(targets.numel()).reshape(targets.shape) * 1.7) + 3 * targets
    answers = task.decode(Output({"answer": scores}), [e.id for e in examples])
    paid = targets.gather(1, scores.argmax(1, keepdim=True)).mean()
    assert 0.3 < paid < 1
    assert task.evaluate(answers, examples)["accuracy"].value == pytest.approx(paid.item(), abs=1e-6)


def test_probabilities_are_sigmoids_or_a_softmax_as_the_loss_has_it() -> None:
    scores = torch.tensor([[2.0, 1.0, -1.0]])
    soft, hard = (Vqa(loss=loss, min_count=1).fit(QUESTIONS) for loss in ("bce", "ce"))  # type: ignore[arg-type]
    (first,) = soft.decode(Output({"answer": scores}), ["1"], top_k=2)
    (second,) = hard.decode(Output({"answer": scores}), ["1"], top_k=9)
    assert [p for _, p in first.alternatives] == pytest.approx(scores.sigmoid()[0, :2].tolist())
    assert sum(p for _, p in second.alternatives) == pytest.approx(1.0)


def test_the_official_file_has_whole_numbers_as_ids(tmp_path: Path) -> None:
    Vqa().submission([Prediction("458752000", "net", 0.9)], tmp_path / "answers.json")
    assert json.loads((tmp_path / "answers.json").read_text()) == [{"question_id": 458752000, "answer": "net"}]
    with pytest.raises(DataError, match="'row 7' is none"):
        Vqa().submission([Prediction("row 7", "net", 0.9)], tmp_path / "answers.json")
