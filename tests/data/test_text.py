"""Text: BERT's word pieces."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import torch
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

from chiasm.data.example import BadRows, DataError, Example, RowError
from chiasm.data.text import Preprocess, read_vocabulary, train_pieces

SENTENCES = [
    "What color is the cube to the left of the ball?",
    "Is the naïve café's SIGN  'open' — or not?!",
    "  \t tabs\nand newlines  ",
    "日本語 mixed with words and 12,345.67 numbers",
    "unbelievably antidisestablishmentarianism " + "x" * 101,
    "[MASK] stands for [UNK] and e-mail@host.org",
    "control\x00 chars\u200b and\ufffd emoji 😀 √ ° £",
    "ÀÉÎ Straße İstanbul ŒUVRE",
    "one",
]


def examples(*texts: object) -> list[Example]:
    return [Example(f"q{i}", {"text": text}, origin=f"file.csv, line {i + 2}") for i, text in enumerate(texts)]


@pytest.fixture
def bert(shared_data: Callable[..., Path]) -> Path:
    return shared_data("bert_vocab", "vocab.txt")


@pytest.mark.parametrize("lowercase", [True, False])
def test_pieces_equal_bert_base_uncased(bert: Path, lowercase: bool) -> None:
    reference = BertTokenizerLegacy(str(bert), do_lower_case=lowercase, strip_accents=None)
    ours = Preprocess(vocabulary=str(bert), lowercase=lowercase, max_length=64).fit([])
    column = ours.encode(examples(*SENTENCES))
    for i, sentence in enumerate(SENTENCES):
        got = column.gather(torch.tensor([i])).input_ids[0].tolist()
        assert got == reference(sentence)["input_ids"], sentence


def test_special_tokens_have_bert_numbers(bert: Path) -> None:
    ours = Preprocess(vocabulary=str(bert)).fit([])
    text = ours.encode(examples("a", "what is it")).gather(torch.tensor([0, 1]))
    assert text.input_ids[0].tolist() == [101, 1037, 102, 0, 0]
    assert text.attention_mask.tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    assert ours.facts == {"vocab_size": 30522}


def test_a_folder_with_vocab_txt_is_a_vocabulary(bert: Path) -> None:
    assert Preprocess(vocabulary=str(bert.parent)).fit([]).facts == {"vocab_size": 30522}


def test_long_texts_lose_their_tail_and_keep_sep() -> None:
    rows = examples("one two three four five six seven")
    text = Preprocess(max_length=5).fit(rows).encode(rows).gather(torch.tensor([0]))
    preprocess = Preprocess(max_length=5).fit(rows)
    assert preprocess.tokens("one two three four five six seven") == ["[CLS]", "one", "two", "three", "[SEP]"]
    assert text.input_ids.shape == (1, 5)


def test_gathering_pads_to_the_longest_chosen_text_only() -> None:
    rows = examples("a b c d e f g", "a", "a b")
    column = Preprocess().fit(rows).encode(rows)
    assert column.lengths().tolist() == [9, 3, 4]
    short = column.gather(torch.tensor([2, 1]))
    assert short.input_ids.shape == (2, 4)
    assert short.attention_mask.tolist() == [[True] * 4, [True, True, True, False]]
    alone = column.gather(torch.tensor([1]))
    assert torch.equal(alone.input_ids[0], short.input_ids[1, :3])


def test_training_a_vocabulary_twice_gives_the_same_pieces() -> None:
    random = Random(0)
    words = ["".join(random.choice("abcdefgh") for _ in range(random.randint(2, 7))) for _ in range(800)]
    lines = [" ".join(random.choice(words) for _ in range(6)) for _ in range(500)]
    assert len({tuple(train_pieces(lines, size=400, lowercase=True)) for _ in range(4)}) == 1


def test_a_trained_vocabulary_knows_the_frequent_words_whole() -> None:
    rows = examples(*["is the cube red or blue"] * 5)
    assert Preprocess().fit(rows).tokens("is the cube blue") == ["[CLS]", "is", "the", "cube", "blue", "[SEP]"]


def test_a_trained_vocabulary_spells_unknown_words_of_known_letters() -> None:
    rows = examples(*["is the cube red or blue"] * 5)
    assert "[UNK]" not in Preprocess().fit(rows).tokens("rubber")
    assert Preprocess().fit(rows).tokens("Ж")[1] == "[UNK]"


def test_a_vocabulary_too_small_for_the_letters_is_refused() -> None:
    with pytest.raises(DataError, match="vocabulary_size 8 is too small"):
        train_pieces(["abcdefgh"], size=8, lowercase=True)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(None, "missing"), (math.nan, "missing"), ("", "empty"), (" \n", "empty"), (7, "7, a int")],
)
def test_text_that_is_missing_or_empty_or_no_text_names_its_row(bad: object, reason: str) -> None:
    rows = examples("fine", bad)
    with pytest.raises(RowError, match=rf"file.csv, line 3, row q1: the text is .*{reason}"):
        Preprocess().fit(rows[:1]).encode(rows)


def test_text_without_any_piece_names_its_row() -> None:
    rows = examples("fine", "\x00\x01")
    with pytest.raises(RowError, match="row q1"):
        Preprocess().fit(rows[:1]).encode(rows)


def test_all_bad_texts_are_named_at_once() -> None:
    rows = examples("fine", None, "", "fine")
    with pytest.raises(BadRows, match="2 bad rows") as caught:
        Preprocess().fit(rows[:1]).encode(rows)
    assert [error.row_id for error in caught.value.rows] == ["q1", "q2"]


def test_saved_and_loaded_it_encodes_the_same_without_the_vocabulary_file(bert: Path, tmp_path: Path) -> None:
    copy = tmp_path / "vocab.txt"
    copy.write_text(bert.read_text(encoding="utf-8"), encoding="utf-8")
    ours = Preprocess(vocabulary=str(copy), max_length=12).fit([])
    ours.save(tmp_path)
    copy.unlink()
    again = Preprocess.load(tmp_path)
    rows = examples(*SENTENCES[:4])
    every = torch.arange(4)
    assert torch.equal(again.encode(rows).gather(every).input_ids, ours.encode(rows).gather(every).input_ids)
    assert again.facts == ours.facts


def test_a_vocabulary_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match=r"'no\.txt' is not there"):
        Preprocess(vocabulary="no.txt").fit([])


def test_a_file_without_special_tokens_is_no_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"lacks \[PAD\]"):
        read_vocabulary(tmp_path)


def test_it_says_when_it_was_not_fitted() -> None:
    with pytest.raises(ValueError, match="call fit"):
        Preprocess().encode(examples("a"))


def test_a_maximum_length_without_room_for_a_word_is_refused() -> None:
    with pytest.raises(ValueError, match="max_length is 2"):
        Preprocess(max_length=2)


def test_half_of_a_character_names_the_row_that_holds_it() -> None:
    rows = [Example("1", {"text": "what is it"}), Example("2", {"text": "what \ud800 is it"}, origin="f, line 2")]
    whole = Example("3", {"text": "what is \U0001f600"})
    with pytest.raises(RowError, match=r"f, line 2, row 2: the text holds '\\ud800', which is half of a character"):
        Preprocess().fit(rows)
    fitted = Preprocess().fit([rows[0], whole])
    with pytest.raises(RowError, match="row 2: the text holds"):
        fitted.encode(rows)
