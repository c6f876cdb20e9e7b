"""The joint answer table: LXMERT's spelling, its file, and a table learnt from sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chiasm.data.answer_table import fit_table, read_table, table_answer, table_scores
from chiasm.data.example import DataError


@pytest.mark.parametrize(
    ("written", "in_table"),
    [
        ("", ""), ("Yes.", "yes"), ("A dog", "dog"), ("an apple", "apple"), ("The man", "man"), ("a an egg", "egg"),
        ("one", "1"), ("Ten.", "10"), ("eleven", "eleven"), ("grey", "gray"), ("the grey", "gray"),
        ("the a cat", "a cat"),  # articles go in the order a, an, the
        ("answer", "answer"), ("etc..", "etc."), ("yes .", "yes"), ('"stop"', '"stop"'),
    ],
)  # fmt: skip
def test_answers_are_spelt_as_released(written: str, in_table: str) -> None:
    assert table_answer(written) == in_table


def test_of_two_answers_that_become_one_the_later_counts() -> None:
    assert table_scores({"two": 0.3, "cat": 1.0, "2": 0.9}) == {"2": 0.9, "cat": 1.0}


def test_a_table_is_learnt_in_alphabetical_order() -> None:
    rows = [{"yes": 1.0}, {"no": 1.0}, {"yes": 0.3, "red": 0.9}, {"No.": 1.0}, {"blue": 0.0, "": 1.0}, {}]
    assert fit_table(rows, max_size=2).answers == ("no", "yes")
    assert fit_table(rows, max_size=9).answers == ("no", "red", "yes")
    with pytest.raises(DataError, match="no sentence has an answer"):
        fit_table([{}, {"": 1.0}], max_size=9)


def test_the_released_file_is_read_in_its_order_and_limited_to_sets(tmp_path: Path) -> None:
    rows = [
        {"ans": '"stop"', "dsets": ["visual7w"]},
        {"ans": "1", "dsets": ["vqa", "gqa"]},
        {"ans": "cat", "dsets": ["vqa"]},
    ]
    file = tmp_path / "all_ans.json"
    file.write_text(json.dumps(rows))
    assert read_table(file).answers == ('"stop"', "1", "cat")
    assert read_table(file, sets=("gqa", "visual7w")).answers == ('"stop"', "1")
    with pytest.raises(DataError, match="no answer of coco; its data sets are gqa, visual7w, vqa"):
        read_table(file, sets=("coco",))
    file.write_text('{"yes": 1}')
    with pytest.raises(DataError, match="is no answer table"):
        read_table(file)
    with pytest.raises(DataError, match="is not there"):
        read_table(tmp_path / "none.json")
