"""The NLVR task: two scores or one, accuracy and consistency, the official file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from chiasm.batch import Output
from chiasm.data.example import DataError, Example
from chiasm.tasks import Prediction
from chiasm.tasks.nlvr import Nlvr

STATEMENTS = [
    Example("dev-1-0-0", {"answer": True}),
    Example("dev-1-1-0", {"answer": "False"}),
    Example("dev-1-0-1", {"answer": "true"}),
]


def test_targets_are_one_for_true_and_ignored_without_a_label() -> None:
    task = Nlvr().fit(STATEMENTS)
    targets = task.targets([*STATEMENTS, Example("dev-1-1-1", {"answer": None})])["answer"].gather(torch.arange(4))
    assert isinstance(targets, torch.Tensor)
    assert targets.tolist() == [1, 0, 1, -1]
    assert task.facts() == {"num_labels": 2, "num_images": 2}


def test_one_score_and_two_scores_give_the_same_probabilities() -> None:
    score = torch.tensor([[1.3], [-0.4], [0.1]])
    ids = [e.id for e in STATEMENTS]
    one = Nlvr(loss="bce").decode(Output({"answer": score}), ids)
    two = Nlvr().decode(Output({"answer": torch.cat([0.5 - score, torch.full((3, 1), 0.5)], 1)}), ids)
    assert [p.answer for p in one] == [p.answer for p in two] == [True, False, True]
    assert [p.probability for p in one] == pytest.approx([p.probability for p in two])
    assert one[0].probability == pytest.approx(torch.tensor(1.3).sigmoid().item())
    assert Nlvr(loss="bce").facts()["num_labels"] == 1


def test_accuracy_and_consistency_follow_the_identifiers() -> None:
    said = [Prediction(e.id, True, 0.9) for e in STATEMENTS]
    measures = Nlvr().evaluate(said, STATEMENTS)
    assert measures["accuracy"].value == pytest.approx(2 / 3)
    assert measures["consistency"].value == 0.5


def test_the_sources_statement_groups_come_first() -> None:
    examples = [Example(f"7-{i}", {"answer": True}, {"sentence_group": "7"}) for i in range(2)]
    measures = Nlvr(images=1).evaluate([Prediction("7-0", True, 1.0), Prediction("7-1", False, 1.0)], examples)
    assert measures["accuracy"].value == 0.5
    assert measures["consistency"].value == 0.0


def test_statements_without_groups_have_only_an_accuracy() -> None:
    examples = [Example(str(i), {"answer": True}) for i in range(2)]
    said = [Prediction(str(i), True, 1.0) for i in range(2)]
    assert set(Nlvr(images=1).evaluate(said, examples)) == {"accuracy"}


def test_kinds_of_statements_that_are_known_have_accuracies_of_their_own() -> None:
    kinds = ["relation", "both", "relation", None]
    examples = [Example(str(i), {"answer": True}, {"family": k} if k else {}) for i, k in enumerate(kinds)]
    said = [Prediction(str(i), i < 2, 1.0) for i in range(4)]
    measures = Nlvr(images=1).evaluate(said, examples)
    assert {name: (e.value, e.n) for name, e in measures.items()} == {
        "accuracy": (0.5, 4), "accuracy/family/both": (1.0, 1), "accuracy/family/relation": (0.5, 2),
    }  # fmt: skip


@pytest.mark.parametrize("labels", [(1.0, 0.0), (1, 0), ("1", "0"), ("Yes", " no "), (True, False)])
def test_a_label_that_is_learnt_is_measured_as_the_same_truth(labels: tuple[object, object]) -> None:
    examples = [Example(str(i), {"answer": label}) for i, label in enumerate(labels)]
    task = Nlvr(images=1).fit(examples)
    assert task.targets(examples)["answer"].gather(torch.arange(2)).tolist() == [1, 0]  # type: ignore[union-attr]
    said = [Prediction("0", True, 1.0), Prediction("1", False, 1.0)]
    assert task.evaluate(said, examples)["accuracy"].value == 1.0


def test_training_needs_both_truth_values() -> None:
    with pytest.raises(DataError, match="labelled False"):
        Nlvr().fit([Example("1", {"answer": True})])


def test_the_official_file_is_a_line_for_each_identifier(tmp_path: Path) -> None:
    Nlvr().submission([Prediction("dev-1-0-0", True, 0.9), Prediction("dev-1-1-0", False, 0.6)], tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "dev-1-0-0,True\ndev-1-1-0,False\n"
