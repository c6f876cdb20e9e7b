"""Several texts of one row, rows without text, and the tokenizers of other models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from chiasm.data.example import BadRows, DataError, Example, RowError
from chiasm.data.rows import read_rows
from chiasm.data.text import Preprocess

REVIEWS = [Example(f"r{i}", {"text": text}) for i, text in enumerate(["so soft [SEP] runs large", "", "runs small"])]


def test_the_separator_between_texts_is_one_piece_of_a_trained_vocabulary() -> None:
    preprocess = Preprocess(vocabulary_size=200, empty="keep").fit(REVIEWS)
    assert preprocess.tokens("so soft [SEP] runs").count("[SEP]") == 2
    assert "sep" not in preprocess.tokenizer.get_vocab()


def test_a_row_without_text_is_refused_or_kept_as_no_words() -> None:
    kept = Preprocess(vocabulary_size=200, empty="keep").fit(REVIEWS)
    none = [Example("a", {"text": None}), Example("b", {}), Example("c", {"text": " "})]
    assert kept.encode(none).gather(torch.arange(3)).attention_mask.sum(1).tolist() == [2, 2, 2]
    with pytest.raises(RowError, match="row r1: the text is empty"):
        Preprocess(vocabulary_size=200).fit(REVIEWS)


def test_text_columns_are_joined_and_empty_ones_left_out() -> None:
    rows = [{"title": "Nice", "body": "soft and warm"}, {"title": None, "body": "too small"}]
    found = read_rows(rows, {"title": "text", "body": "text"}).examples
    assert [e.values["text"] for e in found] == ["Nice [SEP] soft and warm", "too small"]


def test_a_row_without_any_text_is_bad_unless_a_table_row_stands_for_it() -> None:
    rows = [{"title": "", "body": None, "age": 3}, {"title": "a", "body": "b", "age": 4}]
    columns = {"title": "text", "body": "text"}
    assert read_rows(rows, {**columns, "age": "number"}).examples[0].values["text"] == ""
    with pytest.raises(BadRows, match=r"column 'title': the text is"):
        read_rows(rows, {**columns, "age": "info"})


def test_the_cells_of_a_table_row_can_be_read_as_further_texts() -> None:
    rows = [Example("a", {"text": "soft", "table": {"age": 34, "shop": None, "kind": "tops"}})]
    rows.append(Example("b", {"text": "", "table": {"age": 7, "shop": float("nan"), "kind": "tops"}}))
    preprocess = Preprocess(vocabulary_size=200, empty="keep", with_table=True).fit(rows)
    same = [Example("a", {"text": "soft [SEP] 34 [SEP] tops"}), Example("b", {"text": "7 [SEP] tops"})]
    places = torch.arange(2)
    expected = Preprocess(vocabulary_size=200).fit(same).encode(same).gather(places).input_ids
    assert torch.equal(preprocess.encode(rows).gather(places).input_ids, expected)


def test_what_is_no_text_is_refused_even_where_empty_is_kept() -> None:
    preprocess = Preprocess(vocabulary_size=200, empty="keep").fit(REVIEWS)
    with pytest.raises(RowError, match="row x: the text is 3"):
        preprocess.encode([Example("x", {"text": 3})])


@pytest.fixture
def roberta_like(tmp_path: Path) -> Path:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "so", "soft", "runs", "large"]
    tokenizer = Tokenizer(models.WordLevel({p: i for i, p in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(pieces[:4])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_another_models_tokenizer_is_used_with_its_own_separator_and_padding(
    roberta_like: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    preprocess = Preprocess(vocabulary=str(roberta_like), max_length=6, empty="keep").fit(REVIEWS)
    text = preprocess.encode(REVIEWS).gather(torch.arange(2))
    assert text.input_ids.tolist() == [[0, 4, 5, 2, 6, 2], [0, 2, 1, 1, 1, 1]]  # truncated to 6, padded with 1
    folder = tmp_path_factory.mktemp("saved")
    preprocess.save(folder)
    loaded = Preprocess.load(folder).encode(REVIEWS).gather(torch.arange(2))
    assert torch.equal(loaded.input_ids, text.input_ids)


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match=r"tokenizer.json is no tokenizer file"):
        Preprocess(vocabulary=str(tmp_path)).fit(REVIEWS)
