"""The tokeniser against what Stanford's PTBTokenizer 3.4.1 gave, in lower case and without the official punctuation."""

from __future__ import annotations

import pytest

from chiasm.metrics.captions.tokenise import PUNCTUATION, ptb


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("A man grabbing a young boy's shoulder.", "a man grabbing a young boy 's shoulder"),
        ("People on ATV 's , outside .", "people on atv 's outside"),
        ("We cannot see the girl, don't we?", "we can not see the girl do n't we"),
        ("This witness won't call so we're gonna leave!", "this witness wo n't call so we 're gon na leave"),
        ("A T-shirt and a snow-covered merry-go-round", "a t-shirt and a snow-covered merry-go-round"),
        ('A "red" sign reads "P."', "a red sign reads p."),
        ("A S.C.U.B.A. diver in Washington D.C.", "a s.c.u.b.a. diver in washington d.c."),
        ("Mr. Smith Jr. on Main St. sits.", "mr. smith jr. on main st. sits"),
        ("two dogs (one brown) run", "two dogs -lrb- one brown -rrb- run"),
        ("1,000 people at 8:00 paid $2.52 for 1/2", "1,000 people at 8:00 paid $ 2.52 for 1/2"),
        ("A man at a Q&amp;A with an A&M flag & a #5 jersey", "a man at a q&a with an a&m flag & a # 5 jersey"),
        ("Wait... what -- no; it: yes - ok", "wait what no it yes ok"),
        ("We’re beginning “now”…", "we 're beginning now"),
        ("wait!! what?!", "wait !! what ?!"),
        ("rock 'n' roll 'em", "rock 'n' roll 'em"),
        ("the dogs' toys", "the dogs toys"),
        ("see avrovulcan.com now", "see avrovulcan.com now"),
        ("it's 5 o'clock ma'am", "it 's 5 o'clock ma'am"),
        ("so happy :)", "so happy :-rrb-"),
        ("", ""),
        ("  . ", ""),
    ],
)  # fmt: skip
def test_sentences_are_split_as_stanfords_tokenizer_does(sentence: str, tokens: str) -> None:
    assert ptb([sentence]) == [tokens]


def test_tokenising_tokens_changes_nothing() -> None:
    for sentence in ("a boy 's shoulder", "we can not see t-shirts", "do n't wan na u.s. flags", "1,000 people"):
        assert ptb([sentence]) == [sentence]


def test_no_token_is_punctuation() -> None:
    text = "A , b . c ; d : e ? f ! g - h -- i ... j `` k '' l ' m ` n \" o"
    assert not set(ptb([text])[0].split()) & PUNCTUATION
    assert ptb([text]) == ["a b c d e f g h i j k l m n o"]
