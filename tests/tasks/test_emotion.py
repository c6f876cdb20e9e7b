"""The emotion task: labels, what is counted, intervals by dialogue."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
import torch

from chiasm.batch import Output
from chiasm.data.example import DataError, Example
from chiasm.tasks import Prediction
from chiasm.tasks.emotion import Emotion

LABELS = ("hap", "sad", "neu")


def example(number: int, answer: str | None, dialogue: str = "d") -> Example:
    return Example(f"{dialogue}_{number}", {"answer": answer}, info={"cluster": dialogue})


def said(*answers: str) -> list[Prediction]:
    return [Prediction(f"d_{i}", answer, 1.0) for i, answer in enumerate(answers)]


def test_labels_keep_the_listed_order_or_go_by_frequency() -> None:
    rows = [example(i, label) for i, label in enumerate(["sad", "neu", "sad"])]
    assert Emotion(labels=LABELS).fit(rows).labels == LABELS
    assert Emotion().fit(rows).labels == ("sad", "neu")


def test_unlisted_and_missing_labels_are_refused() -> None:
    with pytest.raises(DataError, match="the label 'ang'; the listed ones are hap, sad, neu"):
        Emotion(labels=LABELS).fit([example(0, "ang")])
    with pytest.raises(DataError, match="none of the 1 training utterances has a label"):
        Emotion().fit([example(0, None)])
    with pytest.raises(DataError, match="are they of another data set"):
        Emotion().fit([example(0, "x")]).targets([example(0, "y")])


def test_an_utterance_without_a_label_is_not_trained_on() -> None:
    column = Emotion(labels=LABELS).targets([example(0, None), example(1, "neu")])["answer"]
    assert column.gather(torch.tensor([0, 1])).tolist() == [-1, 2]  # type: ignore[union-attr]


def test_a_label_that_is_nan_or_empty_is_none() -> None:
    rows = [example(0, math.nan), example(1, ""), example(2, "neu")]  # type: ignore[arg-type]
    assert Emotion().fit(rows).labels == ("neu",)
    assert [Emotion().labelled(row) for row in rows] == [False, False, True]


def test_the_table_of_the_sheet_is_measured_and_confusion_rows_sum_to_one() -> None:
    task = Emotion(labels=("0", "1", "2", "3"))
    true, given = "0001122223", "0101122033"
    metrics = task.evaluate(said(*given), [example(i, label) for i, label in enumerate(true)])
    assert metrics["accuracy"].value == pytest.approx(0.7)
    assert metrics["weighted_f1"].value == pytest.approx(0.693333, abs=1e-6)
    assert metrics["macro_f1"].value == pytest.approx(0.7)
    assert metrics["recall/0"].value == pytest.approx(2 / 3)
    assert metrics["confusion/2/0"].value == pytest.approx(0.25)
    assert sum(metrics[f"confusion/2/{label}"].value for label in "0123") == pytest.approx(1)
    assert task.headline in metrics


def test_intervals_resample_dialogues_not_utterances() -> None:
    task, answers = Emotion(labels=LABELS), ["hap"] * 20 + ["sad"] * 20
    one_each = [Example(f"d_{i}", {"answer": a}, info={"cluster": str(i)}) for i, a in enumerate(answers)]
    two = [Example(f"d_{i}", {"answer": a}, info={"cluster": str(i // 20)}) for i, a in enumerate(answers)]
    given = said(*["hap"] * 40)
    narrow, wide = (task.evaluate(given, rows)["accuracy"] for rows in (one_each, two))
    assert narrow.value == wide.value == 0.5
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_answers_are_the_most_probable_labels_and_are_written_as_csv(tmp_path: Path) -> None:
    task = Emotion(labels=LABELS)
    output = Output({"answer": torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 0.0]])})
    predictions = task.decode(output, ["d_0", "d_1"], top_k=2)
    assert [p.answer for p in predictions] == ["sad", "hap"]
    assert [a for a, _ in predictions[0].alternatives] == ["sad", "neu"]
    task.submission(predictions, tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open() as file:
        assert [row["answer"] for row in csv.DictReader(file)] == ["sad", "hap"]


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    task = Emotion().fit([example(0, "neu"), example(1, "sad"), example(2, "neu")])
    task.save(tmp_path)
    assert Emotion.load(tmp_path).labels == ("neu", "sad")
    assert Emotion.load(tmp_path).options == {"labels": []}


def test_the_printed_table_gives_both_definitions() -> None:
    rows = [example(i, label) for i, label in enumerate(("hap", "sad", "hap"))]
    table = Emotion(labels=LABELS).counts(said("hap", "hap", "hap"), rows).table()
    assert "precision" in table
    assert "recall" in table
    assert "weighted precision" in table
