"""Whole words: how sentences are cut, which words are known, and what is said."""

from __future__ import annotations

import pytest
import torch

from chiasm.data.example import DataError, Example
from chiasm.data.text import Preprocess
from chiasm.data.words import END, SPECIAL, UNKNOWN, WordVocabulary, tokenize


def test_words_keep_apostrophes_and_hyphens_and_letters_of_any_language() -> None:
    assert tokenize("Zwei Männer, im T-Shirt!") == ["zwei", "männer", ",", "im", "t-shirt", "!"]
    assert tokenize("A dog's ball.", signs=False) == ["a", "dog's", "ball"]
    assert tokenize("Ein Hund", lowercase=False) == ["Ein", "Hund"]


def test_composed_and_combined_letters_are_the_same_word() -> None:
    assert tokenize("Ma\u0308nner") == tokenize("Männer")


def test_the_commonest_words_come_first_and_rare_ones_are_unknown() -> None:
    words = WordVocabulary.fit(["a cat", "a dog", "a cat runs"], min_count=2)
    assert words.words == (*SPECIAL, "a", "cat")
    assert words.encode(["a dog", "Cat"]) == [[4, UNKNOWN, END], [5, END]]


def test_long_sentences_are_cut_and_still_end() -> None:
    words = WordVocabulary.fit(["a b c d"], max_words=2)
    assert words.encode(["a b c d"]) == [[4, 5, END]]


def test_what_is_said_ends_at_the_end() -> None:
    words = WordVocabulary.fit(["a b"])
    assert words.spoken([4, 5, END, 4]) == ["a", "b"]


def test_a_vocabulary_without_words_is_refused() -> None:
    with pytest.raises(DataError, match="occurs at least 3 times"):
        WordVocabulary.fit(["a b"], min_count=3)
    with pytest.raises(DataError, match="begins with"):
        WordVocabulary(["a", "b"])


def test_the_text_stream_reads_whole_words(tmp_path: object) -> None:
    rows = [Example(str(i), {"text": t}) for i, t in enumerate(["Ein Mann.", "ein Mann rennt", "zwei Männer"])]
    read = Preprocess(vocabulary="words", min_count=2, max_length=10).fit(rows)
    assert read.tokens("ein Mann geht") == ["[CLS]", "ein", "mann", "[UNK]", "[SEP]"]
    assert read.facts == {"vocab_size": 6}
    text = read.encode(rows).gather(torch.tensor([0, 2]))
    assert text.input_ids.tolist() == [[2, 4, 5, 1, 3], [2, 1, 1, 3, 0]]
