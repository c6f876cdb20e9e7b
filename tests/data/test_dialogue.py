"""Dialogues become windows: order, alignment, relative speakers, words once each, statistics of training rows only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chiasm.batch import Batch
from chiasm.data.conversation import Conversation, examples_of
from chiasm.data.dialogue import Preprocess
from chiasm.data.dialogue_folder import Labelled, read_dialogues, write_dialogues
from chiasm.data.example import BadRows, DataError, Example, RowError
from chiasm.data.sources import dialogues


def talk(name: str = "a", speakers: str = "XYXZ", start: float = 0.0) -> Conversation:
    count = len(speakers)
    table = (np.arange(count, dtype=np.float32) + start)[:, None]
    features = {"text": table, "audio": np.concatenate([10 + table, 20 + table], 1)}
    return Conversation(name, tuple(speakers), tuple(f"word{i}" for i in range(count)), features)


def rows(*talks: Conversation) -> list[Example]:
    return [example for one in talks for example in examples_of(one, ["l"] * len(one))]


def test_a_window_holds_the_last_utterances_oldest_first_and_the_query_at_the_end() -> None:
    column = Preprocess(modalities=["text"], history=2).fit(rows(talk())).encode(rows(talk()))
    window = column.gather(torch.tensor([3, 0]))
    assert window.features is not None
    assert window.features[..., 0].tolist() == [[1, 2, 3], [0, 0, 0]]
    assert window.attention_mask.tolist() == [[True, True, True], [False, False, True]]
    assert window.query.tolist() == [2, 2]
    assert column.lengths().tolist() == [1, 2, 3, 3]


def test_a_future_stands_after_the_query_and_queries_stay_in_one_column() -> None:
    column = Preprocess(modalities=["text"], history=1, future=2).fit(rows(talk())).encode(rows(talk()))
    window = column.gather(torch.tensor([0, 2]))
    assert window.features is not None
    assert window.features[..., 0].tolist() == [[0, 0, 1, 2], [1, 2, 3, 0]]
    assert window.attention_mask.tolist() == [[False, True, True, True], [True, True, True, False]]
    assert window.query.tolist() == [1, 1]


def test_speaker_0_is_who_says_the_query() -> None:
    column = Preprocess(modalities=["text"]).fit(rows(talk())).encode(rows(talk()))
    window = column.gather(torch.tensor([1, 2, 3]))
    found = [s[m].tolist() for s, m in zip(window.speakers, window.attention_mask, strict=True)]
    assert found == [[1, 0], [0, 1, 0], [1, 2, 1, 0]]


def test_windows_do_not_reach_into_another_dialogue() -> None:
    column = Preprocess(modalities=["text"]).fit(rows(talk())).encode(rows(talk(), talk("b", "XY", 50)))
    window = column.gather(torch.tensor([5]))
    assert window.features is not None
    assert window.features[0, :, 0].tolist() == [50, 51]


def test_modalities_stand_in_the_order_of_the_options() -> None:
    prepared = Preprocess(modalities=["audio", "text"]).fit(rows(talk()))
    window = prepared.encode(rows(talk())).gather(torch.tensor([1]))
    assert window.features is not None
    assert window.features[0, 1].tolist() == [11, 21, 1]
    assert prepared.facts == {"feature_size": 3, "vocab_size": 0}


def test_features_are_standardised_by_training_dialogues_only() -> None:
    prepared = Preprocess(modalities=["text"], standardise=True).fit(rows(talk()))
    window = prepared.encode(rows(talk("b", "X", 100.0))).gather(torch.tensor([0]))
    assert window.features is not None
    mean, deviation = np.arange(4).mean(), np.arange(4).std()
    assert window.features.item() == pytest.approx((100 - mean) / deviation)


def test_a_feature_that_never_changes_becomes_zero() -> None:
    constant = replace(talk(), features={"text": np.ones((4, 1), np.float32)})
    window = Preprocess(modalities=["text"], standardise=True).fit(rows(constant)).encode(rows(constant))
    features = window.gather(torch.tensor([3])).features
    assert features is not None
    assert features.eq(0).all()


def test_each_distinct_utterance_of_a_batch_is_there_once_and_stays_with_its_examples() -> None:
    prepared = Preprocess(modalities=(), vocabulary="train", vocabulary_size=60).fit(rows(talk()))
    batch = Batch(dialogue=prepared.encode(rows(talk())).gather(torch.tensor([3, 2])))
    dialogue = batch.dialogue
    assert dialogue is not None
    assert dialogue.texts is not None
    assert dialogue.features is None
    assert len(dialogue.texts.input_ids) == 4
    one = batch[1:].dialogue
    assert one is not None
    assert one.texts is not None
    assert one.texts.index is not None
    assert dialogue.texts.index is not None
    before = dialogue.texts.input_ids[dialogue.texts.index[1]]
    assert torch.equal(one.texts.input_ids[one.texts.index[0]], before)
    assert len(one.texts.input_ids) == 3


def test_an_utterance_without_words_is_no_bad_row() -> None:
    silent = replace(talk(), texts=("hello", " ", "", "x"))
    column = Preprocess(modalities=(), vocabulary="train", vocabulary_size=60).fit(rows(talk())).encode(rows(silent))
    texts = column.gather(torch.tensor([3])).texts
    assert texts is not None
    assert texts.attention_mask.sum(1).min() == 3


@pytest.mark.parametrize(
    "options",
    [
        {"modalities": ["audio"], "standardise": True},
        {"modalities": ["text"], "vocabulary": "train", "vocabulary_size": 60},
    ],
)
def test_what_was_saved_encodes_as_before(tmp_path: Path, options: Mapping[str, Any]) -> None:
    prepared = Preprocess(**options).fit(rows(talk()))
    prepared.save(tmp_path)
    loaded = Preprocess.load(tmp_path)
    a, b = (p.encode(rows(talk("b", "XYZ", 5))).gather(torch.tensor([0, 2])) for p in (prepared, loaded))
    assert a.features is not None
    assert b.features is not None
    assert torch.equal(a.features, b.features)
    assert loaded.facts == prepared.facts
    if a.texts is not None:
        assert b.texts is not None
        assert torch.equal(a.texts.input_ids, b.texts.input_ids)


def test_a_plain_list_of_utterances_is_a_dialogue_and_its_last_one_is_asked_about() -> None:
    turns = [{"speaker": "A", "features": {"text": [1.0]}}, {"speaker": "B", "features": {"text": [2.0]}}]
    prepared = Preprocess(modalities=["text"]).fit(rows(talk()))
    window = prepared.encode([Example("x", {"dialogue": turns})]).gather(torch.tensor([0]))
    assert window.features is not None
    assert window.features[0, :, 0].tolist() == [1, 2]
    assert window.speakers.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"dialogue": "hello"}, "a list of utterances is expected"),
        ({"dialogue": []}, "a list of utterances is expected"),
        ({}, "a list of utterances is expected"),
        ({"dialogue": [{"text": "x"}]}, "utterance 0 of the dialogue has no speaker"),
        ({"dialogue": [{"speaker": "A", "text": 3}]}, "the text of utterance 0 is 3"),
        ({"dialogue": [{"speaker": "A", "features": {"text": ["x"]}}]}, "features do not fit together"),
        ({"dialogue": talk(), "position": 4}, "position 4 is not in the dialogue of 4 utterances"),
        ({"dialogue": talk(), "position": -1}, "position -1"),
        ({"dialogue": [{"speaker": "A", "text": "x"}]}, "has no 'text' features"),
        ({"dialogue": replace(talk(), features={"text": np.ones((4, 9), np.float32)})}, "9 text features"),
    ],
)
def test_a_bad_row_is_named_with_its_reason(value: dict[str, Any], reason: str) -> None:
    prepared = Preprocess(modalities=["text"]).fit(rows(talk()))
    with pytest.raises((RowError, BadRows), match=reason):
        prepared.encode([Example("row7", value, origin="file.csv, line 8")])


def test_a_bad_dialogue_is_named_by_its_rows_so_that_they_can_be_skipped() -> None:
    prepared = Preprocess(modalities=["text"]).fit(rows(talk()))
    bad = replace(talk("b"), features={})
    with pytest.raises(BadRows) as caught:
        prepared.encode([*rows(talk()), *rows(bad)])
    assert {error.row_id for error in caught.value.exceptions} == {f"b_{i}" for i in range(4)}  # type: ignore[union-attr]


def test_features_that_are_not_finite_are_refused_with_their_utterance() -> None:
    table = np.zeros((4, 1), np.float32)
    table[2] = np.nan
    with pytest.raises(RowError, match="the text features of utterance 2 are not finite"):
        replace(talk(), features={"text": table})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"history": -1}, "history is -1"),
        ({"modalities": []}, "name modalities, or give a vocabulary"),
        ({"modalities": ["text", "text"]}, "named twice"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Preprocess(**options)


def test_a_folder_of_dialogues_gives_back_what_was_written(tmp_path: Path) -> None:
    labels = ("x", None, "y", "x")
    write_dialogues(tmp_path, [Labelled(talk(), labels, "train"), Labelled(talk("b", "XY", 50), ("x", "y"), "test")])
    found = dialogues.read(tmp_path, "train")
    assert [(e.id, e.values["answer"]) for e in found] == [("a_0", "x"), ("a_2", "y"), ("a_3", "x")]
    (other,) = {id(e.values["dialogue"]): e.values["dialogue"] for e in dialogues.read(tmp_path, "test")}.values()
    assert other.features["audio"].tolist() == talk("b", "XY", 50).features["audio"].tolist()
    assert other.texts == ("word0", "word1")


def test_a_damaged_folder_of_dialogues_is_named(tmp_path: Path) -> None:
    write_dialogues(tmp_path, [Labelled(talk(), ("x",) * 4, "train")])
    with pytest.raises(DataError, match="has no split 'val'; it has train"):
        dialogues.read(tmp_path, "val")
    record = {"id": "a", "split": "train", "speakers": list("XYXZ"), "labels": ["x"] * 3}
    with pytest.raises(RowError, match="3 labels for 4 speakers"):
        read_dialogues(tmp_path, [(1, record)])
    with pytest.raises(DataError, match=r"4 rows of .* features for the 0 utterances"):
        read_dialogues(tmp_path, [])
    (tmp_path / "features.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is no safetensors file"):
        dialogues.read(tmp_path, "train")
