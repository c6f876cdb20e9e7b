"""Pairs of question and choice: segments, rationales with the right answer or with each, bad rows named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from chiasm.batch import Text
from chiasm.data.choices import Preprocess, right_choice
from chiasm.data.example import BadRows, Example, RowError

VALUES = {
    "text": "who is there?",
    "choices": ["a cat", "a dog", "two cows", "a very old horse"],
    "rationales": ["it purrs", "it barks", "they moo", "it neighs"],
    "answer": 1,
    "rationale": 2,
}


def row(name: str = "a", **changes: Any) -> Example:
    return Example(name, {**VALUES, **changes}, origin="file.jsonl, line 1")


def prepared(**options: Any) -> Preprocess:
    return Preprocess(**{"max_length": 40, **options}).fit([row()])


def said(preprocess: Preprocess, text: Text) -> list[str]:
    """The pieces of each row with their segment, e.g. "who0 cat1"."""
    assert text.token_type_ids is not None
    rows = zip(text.input_ids.tolist(), text.token_type_ids.tolist(), text.attention_mask.tolist(), strict=True)
    words = preprocess.tokenizer.id_to_token
    return [" ".join(f"{words(i)}{t}" for i, t, m in zip(*one, strict=True) if m) for one in rows]


def gathered(preprocess: Preprocess, *rows: Example) -> Text:
    column = preprocess.encode(rows)
    assert len(column) == len(rows)
    return column.gather(torch.arange(len(rows)))


def test_each_choice_stands_after_the_question_in_the_second_segment() -> None:
    preprocess = prepared()
    text = gathered(preprocess, row())
    assert said(preprocess, text)[1] == "[CLS]0 who0 is0 there0 ?0 [SEP]0 a1 dog1 [SEP]1"
    assert text.index is not None
    assert text.index.tolist() == [[0, 1, 2, 3]]


def test_rationales_stand_after_the_question_and_the_right_answer() -> None:
    preprocess = prepared(rationales="given")
    text = gathered(preprocess, row())
    assert len(text.input_ids) == 8
    assert said(preprocess, text)[6] == "[CLS]0 who0 is0 there0 ?0 [SEP]0 a0 dog0 [SEP]0 they1 moo1 [SEP]1"
    only = gathered(prepared(rationales="only"), row())
    assert len(only.input_ids) == 4


def test_without_the_right_answer_rationales_stand_after_each_answer() -> None:
    preprocess = prepared(rationales="given")
    text = gathered(preprocess, row("a"), row("b", answer=None))
    assert text.index is not None
    assert text.index.shape == (2, 20)
    lines = said(preprocess, text)
    assert lines[20 + 4 + 4 * 2 + 1].endswith("[SEP]0 two0 cows0 [SEP]0 it1 barks1 [SEP]1")


def test_examples_are_gathered_in_any_order_and_padding_is_no_text() -> None:
    preprocess = prepared()
    rows = [row("a"), row("b", text="what?"), row("c", choices=["w", "x", "y", "z"])]
    column = preprocess.encode(rows)
    some = column.gather(torch.tensor([2, 0]))
    assert said(preprocess, some)[0] == "[CLS]0 who0 is0 there0 ?0 [SEP]0 w1 [SEP]1"
    assert said(preprocess, some)[4:] == said(preprocess, column.gather(torch.tensor([0])))
    assert not some.input_ids[~some.attention_mask].any()
    assert column.lengths() is not None
    assert column.lengths()[0] == int(column.gather(torch.tensor([0])).attention_mask.sum(1).max())  # type: ignore[index]


def test_a_pair_that_is_too_long_loses_from_its_longer_text() -> None:
    preprocess = prepared(max_length=10)
    text = gathered(preprocess, row(text="who is there " * 70))
    lines = said(preprocess, text)
    assert all(len(line.split()) == 10 for line in lines)
    assert lines[1].endswith("[SEP]0 a1 dog1 [SEP]1")


def test_saved_and_loaded_it_reads_the_same(tmp_path: Path) -> None:
    preprocess = prepared(rationales="given")
    preprocess.save(tmp_path)
    loaded = Preprocess.load(tmp_path)
    assert loaded.facts == preprocess.facts
    assert loaded.facts["num_choices"] == 4
    assert torch.equal(gathered(loaded, row()).input_ids, gathered(preprocess, row()).input_ids)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text": ""}, "the question cannot be used: the text is empty"),
        ({"choices": ["a", "b", "c"]}, "the row has 3 choices; a list of 4 texts is expected"),
        ({"choices": None}, "the row has no choices"),
        ({"choices": ["a", "b", "c", " "]}, "choices 3: the text is empty"),
        ({"rationales": ["a"]}, "the row has 1 rationales"),
        ({"answer": 4}, "the answer is 4; a whole number from 0 to 3"),
        ({"answer": True}, "the answer is True"),
    ],
)
def test_a_bad_row_is_named_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises((RowError, BadRows), match=f"file.jsonl, line 1, row bad: .*{reason}"):
        prepared(rationales="given").encode([row(), replace(row("bad"), values={**VALUES, **changes})])


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ValueError, match="max_length is 4"):
        Preprocess(max_length=4)
    with pytest.raises(ValueError, match="num_choices is 1"):
        Preprocess(num_choices=1)


def test_the_right_choice_may_be_unknown() -> None:
    assert right_choice(row(answer=None), 4) is None
    assert right_choice(row(), 4, "rationale") == 2
