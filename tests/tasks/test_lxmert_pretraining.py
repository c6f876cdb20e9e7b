"""The pre-training task: answer tables, names of regions, losses over a data set, saving."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from chiasm.batch import Output
from chiasm.data.answers import SparseColumn
from chiasm.data.example import DataError, Example
from chiasm.objectives.cases import class_of_case, smooth_difference, squared_difference
from chiasm.tasks.lxmert_pretraining import HEADS, LxmertPretraining

CUBE, BALL = (("cube", "red"), ("ball", "")), (("ball", "blue"),)


def examples() -> list[Example]:
    """A caption, a VQA question, a GQA question, and one of LXMERT's scored answers."""
    rows: list[tuple[Any, str, Any]] = [
        (None, "a.png", CUBE), (["two"] * 10, "a.png", CUBE),
        ("a dog", "b.png", BALL), ({"Yes.": 1.0, "2": 0.3}, "b.png", BALL),
    ]  # fmt: skip
    return [
        Example(f"s{i}", {"text": "is it?", "answer": answer, "images": (image,), "objects": (things,)})
        for i, (answer, image, things) in enumerate(rows)
    ]


def fitted(**options: Any) -> LxmertPretraining:
    return LxmertPretraining(**{"labels": "named", **options}).fit(examples())


def output(task: LxmertPretraining, rows: list[list[float]] | None) -> Output:
    size = task.facts()["num_labels"]
    scores = {"matched": torch.tensor([[0.0, 1.0]] * 4), "answer": torch.eye(4, size)}
    states = {} if rows is None else {"measured/words": torch.tensor(rows), "measured/matched": torch.ones(4, 4)}
    return Output(scores, states)


def test_the_table_holds_the_answers_of_all_sets_in_one_spelling() -> None:
    task = fitted()
    assert task.vocabulary.answers == ("2", "dog", "yes")
    assert fitted(max_answers=1).vocabulary.answers == ("2",)
    column = task.targets(examples())["answer"]
    assert isinstance(column, SparseColumn)
    torch.testing.assert_close(
        column.gather(torch.arange(4)), torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.3, 0, 1]])
    )


def test_regions_get_the_numbers_of_their_names() -> None:
    task = fitted()
    assert task.facts() == {"num_labels": 3, "num_images": 1, "num_objects": 2, "num_attributes": 2}
    named = task._named(examples())
    assert named.objects.tolist() == [[1, 0], [0, -1]]  # ball 0, cube 1
    assert named.attributes.tolist() == [[1, -1], [0, -1]]  # blue 0, red 1
    assert named.image.tolist() == [0, 0, 1, 1]
    assert set(fitted(labels="detected").facts()) == {"num_labels", "num_images"}
    with pytest.raises(DataError, match="have no names"):
        LxmertPretraining(labels="named").fit([Example("x", {"answer": "yes"})])


def test_a_given_table_is_used_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "all_ans.json"
    file.write_text(json.dumps([{"ans": "dog", "dsets": ["vqa"]}, {"ans": "2", "dsets": ["gqa"]}]))
    assert fitted(answer_table=str(file)).vocabulary.answers == ("dog", "2")
    assert fitted(answer_table=str(file), answer_sets=("gqa",)).facts()["num_labels"] == 1


def test_the_losses_are_those_that_were_chosen() -> None:
    assert list(fitted().objectives()) == list(HEADS)
    chosen = fitted(losses=("features", "words"), feature_loss="l2").objectives()
    assert dict(chosen) == {"words": class_of_case, "features": squared_difference}
    assert fitted().objectives()["features"] is smooth_difference
    assert fitted(losses=("words",)).facts()["num_labels"] == 1  # no answer is needed
    with pytest.raises(ValueError, match="losses is empty"):
        LxmertPretraining(losses=())
    with pytest.raises(ValueError, match="hidden_share is 0"):
        LxmertPretraining(hidden_share=0)


def test_losses_and_accuracies_are_over_all_places_of_the_data_set() -> None:
    task, rows = fitted(), [[6.0, 3, 1, 3], [0, 0, 0, 0], [1, 1, 1, 1], [4, 4, 0, 4]]  # loss, cases, right, places
    predictions = task.decode(output(task, rows), [f"s{i}" for i in range(4)])
    assert [p.answer for p in predictions[:3]] == ["2", "dog", "yes"]
    assert predictions[0].heads["matched"] == pytest.approx(torch.tensor([0.0, 1.0]).softmax(0)[1].item())
    found = task.evaluate(predictions, examples())
    assert found["loss/words"].value == pytest.approx(11 / 8)
    assert found["accuracy/words"].value == pytest.approx(2 / 8)
    assert found["accuracy/words"].n == 8
    assert found["loss"].value == pytest.approx(11 / 8 + 1)
    assert found["minus_loss"].value == -found["loss"].value
    assert found["minus_loss"].low <= found["minus_loss"].value <= found["minus_loss"].high
    assert "accuracy/features" not in found


def test_predictions_from_which_nothing_was_hidden_cannot_be_measured() -> None:
    task = fitted()
    predictions = task.decode(output(task, None), [f"s{i}" for i in range(4)])
    with pytest.raises(DataError, match="nothing was hidden"):
        task.evaluate(predictions, examples())


def test_a_caption_can_be_measured_although_it_has_no_answer() -> None:
    assert LxmertPretraining().labelled(Example("s0", {"text": "a dog", "answer": None}))


def test_a_saved_task_is_the_same(tmp_path: Path) -> None:
    task = fitted(losses=("words", "answer"), answer_sets=("vqa",))
    task.save(tmp_path)
    loaded = LxmertPretraining.load(tmp_path)
    assert loaded.options == task.options
    assert loaded.facts() == task.facts()
    assert loaded.vocabulary.answers == task.vocabulary.answers
    task.submission(task.decode(output(task, None), [f"s{i}" for i in range(4)]), tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1])["answer"] == "dog"
