"""DAQUAR: the whole set is one answer; accuracy and WUPS; what is said where WordNet is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from chiasm.batch import Output
from chiasm.data.example import Example
from chiasm.metrics.wordnet import DEFAULT_FOLDER, WordNetMissing
from chiasm.tasks import Prediction
from chiasm.tasks.daquar import Daquar

TRUE = ("chair", "lamp, book", "3")


def examples() -> list[Example]:
    return [Example(str(i), {"answer": answer}, {"image_id": f"image{i}"}) for i, answer in enumerate(TRUE)]


def said(*answers: str) -> list[Prediction]:
    return [Prediction(str(i), answer, 1.0) for i, answer in enumerate(answers)]


def test_a_set_is_one_answer_whatever_its_order() -> None:
    task = Daquar().fit([*examples(), Example("3", {"answer": "book,  lamp"})])
    assert sorted(task.vocabulary.answers) == ["3", "book, lamp", "chair"]
    scores = torch.zeros(1, 3)
    scores[0, task.vocabulary.answers.index("book, lamp")] = 5
    (prediction,) = task.decode(Output({"answer": scores}), ["1"])
    assert prediction.answer == "book, lamp"


@pytest.mark.filterwarnings("ignore:WUPS is not measured")
def test_accuracy_counts_equal_sets_and_tells_long_answers_apart() -> None:
    found = Daquar().evaluate(said("chair", "book, lamp", "4"), examples())
    assert found["accuracy"].value == pytest.approx(2 / 3)
    assert found["accuracy/answer/one word"].value == 0.5
    assert found["accuracy/answer/several words"].value == 1.0


def test_wups_credits_what_is_nearly_right() -> None:
    if not (DEFAULT_FOLDER / "data.noun").is_file():
        pytest.skip("WordNet is not installed (Debian: wordnet-base)")
    found = Daquar().evaluate(said("stool", "book", "3"), examples())
    assert found["accuracy"].value == pytest.approx(1 / 3)
    assert 1 / 3 < found["wups_0.9"].value < found["wups_0.0"].value < 1


def test_without_wordnet_a_warning_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHIASM_WORDNET", str(tmp_path))
    with pytest.warns(UserWarning, match="WUPS is not measured: WordNet is not in"):
        found = Daquar().evaluate(said(*TRUE), examples())
    assert found["accuracy"].value == 1
    assert "wups_0.9" not in found
    with pytest.raises(WordNetMissing):
        Daquar(wordnet=str(tmp_path)).evaluate(said(*TRUE), examples())


def test_the_authors_script_reads_an_answer_a_line(tmp_path: Path) -> None:
    Daquar().submission(said("chair", "book, lamp"), tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text() == "chair\nbook, lamp\n"
