"""What every task owes: answers that survive saving, ids that fit, scores that are numbers."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from chiasm.batch import Output
from chiasm.data.example import DataError, Example
from chiasm.tasks import BaseTask, Prediction, task, task_names


@dataclass(frozen=True)
class Case:
    """A task, options, and the answers of four training examples."""

    task: str
    options: dict[str, Any]
    answers: tuple[Any, ...]

    def fitted(self) -> BaseTask:
        fitted: BaseTask = task(self.task).Task(**self.options).fit(self.examples())
        return fitted

    def examples(self) -> list[Example]:
        return [Example(f"10{i}", {"answer": a, "text": "is it so?"}) for i, a in enumerate(self.answers)]

    def scores(self, fitted: BaseTask) -> Tensor:
        """(4, A), all different."""
        size = fitted.facts()["num_labels"]
        return torch.sin(torch.arange(4.0 * size).reshape(4, size) * 2.3 + 0.5) * 3


TEN = ["red"] * 6 + ["blue"] * 4
CASES = {
    "vqa": Case("vqa", {"min_count": 1}, (TEN, ["yes"] * 10, ["no"] * 10, ["blue"] * 10)),
    "vqa ce": Case("vqa", {"min_count": 1, "loss": "ce"}, (TEN, ["yes"] * 10, ["no"] * 10, ["blue"] * 10)),
    "gqa": Case("gqa", {}, ("yes", "no", "red", "yes")),
    "gqa ce": Case("gqa", {"loss": "ce"}, ("yes", "no", "red", "yes")),
    "nlvr": Case("nlvr", {}, (True, False, True, False)),
    "nlvr bce": Case("nlvr", {"loss": "bce", "images": 1}, (True, False, True, False)),
    "classify": Case("classify", {}, ("cat", "dog", "cow", "dog")),
    "classify binary": Case("classify", {"kind": "binary"}, (True, False, False, True)),
    "classify several": Case("classify", {"kind": "several"}, (["a"], ["a", "b"], [], ["c"])),
    "regress": Case("regress", {}, (1.0, 2.5, 3.0, 10.0)),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def decode(case: Case, fitted: BaseTask) -> list[Prediction]:
    return fitted.decode(Output({"answer": case.scores(fitted)}), [e.id for e in case.examples()])


def test_every_case_is_a_task_found_by_its_file() -> None:
    assert {case.task for case in CASES.values()} <= set(task_names())


@each_case
def test_loss_of_its_own_targets_is_a_number_with_a_gradient(case: Case) -> None:
    fitted = case.fitted()
    scores = case.scores(fitted).requires_grad_()
    targets = fitted.targets(case.examples())["answer"].gather(torch.arange(4))
    assert isinstance(targets, Tensor)
    loss = fitted.objectives()["answer"](scores, targets)
    loss.backward()
    assert loss.isfinite()
    assert scores.grad is not None
    assert scores.grad.abs().sum() > 0


@each_case
def test_a_model_that_follows_the_loss_answers_its_training_examples(case: Case) -> None:
    fitted = case.fitted()
    scores = case.scores(fitted).requires_grad_()
    targets = fitted.targets(case.examples())["answer"].gather(torch.arange(4))
    optimiser = torch.optim.Adam([scores], lr=0.3)
    for _ in range(100):
        optimiser.zero_grad()
        fitted.objectives()["answer"](scores, targets).backward()
        optimiser.step()
    answers = fitted.decode(Output({"answer": scores}), [e.id for e in case.examples()])
    assert fitted.evaluate(answers, case.examples())[fitted.headline].value == pytest.approx(1.0, abs=1e-3)


@each_case
def test_saved_and_loaded_it_gives_the_same_answers(case: Case, tmp_path: Path) -> None:
    fitted = case.fitted()
    fitted.save(tmp_path)
    loaded = type(fitted).load(tmp_path)
    assert loaded.options == fitted.options
    assert loaded.facts() == fitted.facts()
    assert decode(case, loaded) == decode(case, fitted)
    assert loaded.headline == fitted.headline


@each_case
def test_a_state_of_another_task_or_a_broken_one_is_refused(case: Case, tmp_path: Path) -> None:
    fitted = case.fitted()
    (tmp_path / "task.json").write_text(json.dumps({"name": "other"}))
    with pytest.raises(DataError, match="'other'"):
        type(fitted).load(tmp_path)
    (tmp_path / "task.json").write_text(json.dumps({"name": fitted.name}))
    with pytest.raises(DataError, match="lacks options"):
        type(fitted).load(tmp_path)
    (tmp_path / "task.json").write_text("{")
    with pytest.raises(DataError, match="not a task file"):
        type(fitted).load(tmp_path)


@each_case
def test_the_answer_is_the_most_probable_alternative(case: Case) -> None:
    fitted = case.fitted()
    for prediction in decode(case, fitted):
        assert 0 <= prediction.probability <= 1
        probabilities = [p for _, p in prediction.alternatives]
        assert probabilities == sorted(probabilities, reverse=True)
        if prediction.alternatives and not isinstance(prediction.answer, list):
            assert prediction.alternatives[0] == (prediction.answer, prediction.probability)


@each_case
def test_scores_that_are_nan_are_refused_with_their_ids(case: Case) -> None:
    fitted = case.fitted()
    scores = case.scores(fitted)
    scores[2, 0] = math.nan
    with pytest.raises(DataError, match=r"NaN for 102 \(1 of 4 examples\)"):
        fitted.decode(Output({"answer": scores}), [e.id for e in case.examples()])


@each_case
def test_scores_of_another_size_are_refused(case: Case) -> None:
    fitted = case.fitted()
    with pytest.raises(ValueError, match="scored"):
        fitted.decode(Output({"answer": torch.zeros(4, 17)}), [e.id for e in case.examples()])
    with pytest.raises(ValueError, match="no head 'answer'; it gives mask"):
        fitted.decode(Output({"mask": torch.zeros(4, 1)}), ["1", "2", "3", "4"])


@each_case
def test_predictions_that_do_not_fit_the_examples_are_named(case: Case) -> None:
    fitted, examples = case.fitted(), case.examples()
    answers = decode(case, fitted)
    with pytest.raises(DataError, match=r"no prediction for the id 103 \(1 in all\)"):
        fitted.evaluate(answers[:3], examples)
    with pytest.raises(DataError, match="a prediction for the unknown id 103"):
        fitted.evaluate(answers, examples[:3])
    with pytest.raises(DataError, match="several predictions for the id 100"):
        fitted.evaluate([*answers, answers[0]], examples)
    with pytest.raises(DataError, match="several examples have the id 100"):
        fitted.evaluate(answers, [*examples, examples[0]])


@each_case
def test_the_order_of_predictions_does_not_matter(case: Case) -> None:
    fitted = case.fitted()
    answers = decode(case, fitted)
    assert fitted.evaluate(answers[::-1], case.examples()) == fitted.evaluate(answers, case.examples())


@each_case
def test_examples_without_an_answer_cannot_be_measured(case: Case) -> None:
    fitted = case.fitted()
    examples = [*case.examples()[:3], Example("103", {"answer": None})]
    with pytest.raises(DataError, match="no answer to compare with for the id 103"):
        fitted.evaluate(decode(case, fitted), examples)


@each_case
def test_it_says_which_examples_can_be_measured(case: Case) -> None:
    fitted = case.fitted()
    assert all(fitted.labelled(example) for example in case.examples())
    bare = [Example("1", {}), *(Example("1", {"answer": answer}) for answer in (None, math.nan, "", "  "))]
    assert not any(fitted.labelled(example) for example in bare)


@each_case
def test_examples_without_an_answer_do_not_count_in_the_loss(case: Case) -> None:
    fitted = case.fitted()
    scores = case.scores(fitted)
    targets = fitted.targets([*case.examples()[:3], Example("103", {"answer": None})])["answer"]
    loss = fitted.objectives()["answer"]
    first, four = targets.gather(torch.arange(3)), targets.gather(torch.arange(4))
    assert loss(scores, four).item() == pytest.approx(loss(scores[:3], first).item())


@each_case
def test_the_score_of_an_answer_rises_with_its_probability(case: Case) -> None:
    fitted = case.fitted()
    scores = case.scores(fitted)
    for answer in (0, 1) if case.task != "regress" else (0,):
        chosen = fitted.score_of(Output({"answer": scores}), [answer] * 4)
        expected = scores[:, answer] if scores.shape[1] > 1 else scores[:, 0] * (2 * answer - 1)
        if case.task == "regress":
            expected = scores[:, 0]
        assert chosen.tolist() == expected.tolist()


@pytest.mark.parametrize("name", [n for n in CASES if n.split()[0] in ("vqa", "gqa", "classify")])
def test_before_it_is_fitted_it_says_so(name: str) -> None:
    fresh = task(CASES[name].task).Task(**CASES[name].options)
    with pytest.raises(RuntimeError, match="call fit"):
        fresh.targets(CASES[name].examples())


@each_case
def test_training_examples_without_any_answer_are_refused(case: Case) -> None:
    with pytest.raises(DataError):
        task(case.task).Task(**case.options).fit([Example("1", {"answer": None})])
