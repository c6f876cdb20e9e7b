"""Answers: the official normalisation and scores, the vocabulary, the targets."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chiasm.data.answers import AnswerVocabulary, build_targets, preview, soft_scores
from chiasm.data.example import DataError
from chiasm.data.normalise import CONTRACTIONS, normalise_answer
from chiasm.data.vocabulary import IGNORE, gold_answers, labels_of
from chiasm.registry import UnknownName


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("A Dog.", "dog"),
        ("two", "2"),
        ("None", "0"),
        ("the  an a", ""),
        ("dont", "don't"),
        ("couldntve", "couldntve"),
        ("couldnt've", "couldn't've"),
        ("somebody'd", "somebodyd"),
        ("black/white", "black white"),
        ("black / white", "black white"),
        ("black, white", "black white"),
        ("black,white", "black white"),
        ("1,000", "1000"),
        ("1,000/day", "1000day"),
        ("3.5", "3.5"),
        ("3.5.", "3.5"),
        ("u.s.", "us"),
        ("yes!\n", "yes"),
        ("t-shirt", "t shirt"),
        ("o'clock", "o'clock"),
        ("9:30", "9:30"),
    ],
)
def test_answers_are_normalised_as_the_official_script_does(answer: str, expected: str) -> None:
    assert normalise_answer(answer) == expected


def test_the_contractions_are_the_official_ones_that_change_a_lower_case_word() -> None:
    assert len(CONTRACTIONS) == 114
    assert CONTRACTIONS["yall'd've"] == CONTRACTIONS["y'alld've"] == CONTRACTIONS["y'all'dve"] == "y'all'd've"
    assert CONTRACTIONS["twas"] == "'twas"


@given(st.text(max_size=30))
def test_a_word_without_marks_is_only_lowered(text: str) -> None:
    letters = "".join(c for c in text if c in "bcdxqz")
    assert normalise_answer(letters.upper()) == letters


def slow_scores(answers: list[str]) -> dict[str, float]:
    """The definition, one annotator left out after the other."""
    return {
        answer: sum(min(1, sum(o == answer for o in answers[:i] + answers[i + 1 :]) / 3) for i in range(len(answers)))
        / len(answers)
        for answer in answers
    }


@pytest.mark.parametrize("count", range(1, 11))
def test_soft_scores_are_the_leave_one_out_average(count: int) -> None:
    answers = ["x"] * count + [f"other {i}" for i in range(10 - count)]
    assert soft_scores(answers) == pytest.approx(slow_scores(answers))
    assert soft_scores(answers)["x"] == pytest.approx([0.3, 0.6, 0.9, 1.0][min(count, 4) - 1])


def test_annotators_are_normalised_unless_all_agree() -> None:
    assert soft_scores(["A dog"] * 10) == {"A dog": 1.0}
    assert soft_scores(["A dog"] * 5 + ["dog"] * 5) == {"dog": 1.0}


def test_few_annotators_count_by_their_share_and_given_scores_stand() -> None:
    assert soft_scores(["red", "blue"]) == {"red": 0.5, "blue": 0.5}
    assert soft_scores({"red": 0.3}) == {"red": 0.3}
    assert soft_scores("red") == {"red": 1.0}
    assert soft_scores(None) == soft_scores(math.nan) == {}


def test_a_vocabulary_is_ordered_by_frequency_then_alphabet() -> None:
    vocabulary = AnswerVocabulary.fit(["b", "a", "c", "c", None, "", math.nan])
    assert vocabulary.answers == ("c", "a", "b")
    assert [vocabulary.number(a) for a in ("c", "b", "zebra")] == [0, 2, IGNORE]


@pytest.mark.parametrize("order", list(itertools.permutations(["x", "y", "y", "z"])))
def test_a_vocabulary_does_not_depend_on_the_order_of_rows(order: tuple[str, ...]) -> None:
    assert AnswerVocabulary.fit(order).answers == ("y", "x", "z")


def test_rare_answers_and_those_beyond_the_size_are_left_out() -> None:
    values = ["a"] * 3 + ["b"] * 2 + ["c"]
    assert AnswerVocabulary.fit(values, min_count=2).answers == ("a", "b")
    assert AnswerVocabulary.fit(values, max_size=1).answers == ("a",)


def test_annotators_count_once_and_labels_all() -> None:
    rows = [["red", "red", "blue"], ["blue"]]
    assert AnswerVocabulary.fit(rows).answers == ("blue", "red")
    assert AnswerVocabulary.fit([["a", "b"], ["b"]], several_labels=True).answers == ("b", "a")


def test_no_answer_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="no answer occurs at least 1 times among 0 answers"):
        AnswerVocabulary.fit([None, ""])


def test_a_vocabulary_survives_saving(tmp_path: Path) -> None:
    vocabulary = AnswerVocabulary(["", "café", "b"])
    vocabulary.save(tmp_path / "answers.json")
    assert AnswerVocabulary.load(tmp_path / "answers.json").answers == vocabulary.answers


def test_the_distributed_answer_to_label_files_are_vocabularies(shared_data: Any) -> None:
    vocabulary = AnswerVocabulary.load(shared_data("gqa_sample", "trainval_ans2label.json"))
    assert len(vocabulary) == 1842
    assert vocabulary[712] == "puddle"


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "no valid JSON"), ('{"a": 3}', "is no answer vocabulary"), ("[1]", "no answer"), ('["a", "a"]', "twice")],
)
def test_a_broken_vocabulary_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "answers.json").write_text(content)
    with pytest.raises(DataError, match=message):
        AnswerVocabulary.load(tmp_path / "answers.json")
    with pytest.raises(DataError, match="is not there"):
        AnswerVocabulary.load(tmp_path / "none.json")


VOCABULARY = AnswerVocabulary(["yes", "no", "red"])
EVERY = torch.arange(5)


def test_soft_targets_are_scores_of_known_answers() -> None:
    values = [["red"] * 4 + ["yes"] * 6, "no", None, "purple", {"red": 0.6, "blue": 0.3}]
    targets = build_targets("soft", values, VOCABULARY)
    expected = [[1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0.6]]
    assert torch.allclose(targets.column.gather(EVERY), torch.tensor(expected))
    assert torch.allclose(targets.column.gather(torch.tensor([4, 0, 4])), torch.tensor(expected)[[4, 0, 4]])
    assert targets.column.gather(torch.tensor([], dtype=torch.int64)).shape == (0, 3)


def test_one_answer_targets_are_numbers_or_ignored() -> None:
    targets = build_targets("one", ["red", ["no"] * 3, None, "", "purple"], VOCABULARY)
    assert targets.column.gather(EVERY).tolist() == [2, 1, IGNORE, IGNORE, IGNORE]


def test_missing_empty_and_unknown_answers_are_counted_apart() -> None:
    for kind in ("soft", "one", "several"):
        counts = build_targets(kind, ["red", None, math.nan, "", "purple", "purple"], VOCABULARY).counts
        assert (counts.known, counts.missing, counts.empty, counts.unknown) == (1, 2, 1, 2), kind
        assert counts.unknown_answers == (("purple", 2),)
        expected = (
            "1 of 6 rows have a known answer, 2 without an answer, 1 empty, 2 not in the vocabulary: 'purple' (2)"
        )
        assert str(counts) == expected


def test_binary_targets_understand_words_truth_and_numbers() -> None:
    values = [True, "No", 1, "0", "perhaps", None]
    targets = build_targets("binary", values)
    assert targets.column.gather(torch.arange(6)).tolist() == [1, 0, 1, 0, IGNORE, IGNORE]
    assert targets.counts.unknown == targets.counts.missing == 1


def test_several_labels_are_several_ones() -> None:
    targets = build_targets("several", [["red", "yes"], ["no", "purple"], "red", [], None], VOCABULARY)
    expected = [[1, 0, 1], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert targets.column.gather(EVERY).tolist() == expected


def test_numbers_are_numbers_and_missing_ones_nan() -> None:
    targets = build_targets("number", [1, "2.5", None, "", math.nan])
    assert torch.equal(torch.nan_to_num(targets.column.gather(EVERY), -9), torch.tensor([1, 2.5, -9, -9, -9]))
    with pytest.raises(DataError, match="'many' of row 1 is no number"):
        build_targets("number", [1, "many"])


def test_an_unknown_kind_gets_the_nearest_name() -> None:
    with pytest.raises((DataError, UnknownName), match="did you mean 'soft'"):
        build_targets("soft_", [], VOCABULARY)
    with pytest.raises(ValueError, match="need an answer vocabulary"):
        build_targets("one", [])


def test_numbers_read_as_floats_are_the_labels_they_were() -> None:
    assert gold_answers(3.0) == ["3"]
    assert gold_answers(True) == ["True"]
    assert labels_of([1.0, None, "x "]) == ["1", "x"]


def test_the_preview_sums_to_all_rows() -> None:
    table = preview(["a", "a", "b", None, "", "c", "d"], AnswerVocabulary(["a"]), rows=3)
    assert table[0] == {"answer": "a", "count": 2, "share": 2 / 7, "target": 0}
    assert table[-1]["answer"] == "(3 further answers)"
    assert sum(line["count"] for line in table) == 7
    json.dumps(table)
