"""MELD's and MOSI's files: the real ones where they are, and what is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chiasm.data.example import DataError, RowError
from chiasm.data.sources import meld, mosi

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"


def test_real_meld_has_the_published_utterances_and_dialogues(shared_data: Any) -> None:
    folder = shared_data("meld_text")
    train, dev = meld.read(folder, "train"), meld.read(folder, "dev")
    assert (len(train), len(dev)) == (9989, 1109)
    assert len({e.info["cluster"] for e in train}) == 1038
    assert Counter(e.values["answer"] for e in dev).most_common(1) == [("neutral", 470)]
    assert dev[0].values["text"] == "Oh my God, he’s lost it. He’s totally lost it."
    assert max(len(set(e.values["dialogue"].speakers)) for e in train) == 9
    assert {e.values["answer"] for e in meld.read(folder, "dev", label="sentiment")} == set(meld.SENTIMENTS)


def test_real_mosi_has_the_published_utterances_in_the_order_of_time(shared_data: Any) -> None:
    train, test = (mosi.read(shared_data("mosi"), split) for split in ("train", "test"))
    assert (len(train), len(test)) == (1447, 752)
    assert len({e.info["cluster"] for e in [*train, *test]}) == 93
    assert {m: t.shape[1] for m, t in train[0].values["dialogue"].features.items()} == {
        "text": 100,
        "audio": 73,
        "visual": 100,
    }
    share = sum(e.values["answer"] == "negative" for e in test) / len(test)
    assert max(share, 1 - share) == pytest.approx(0.621, abs=5e-4)


def write(folder: Path, lines: str) -> Path:
    (folder / "train_sent_emo.csv").write_text(HEADER + lines, encoding="utf-8")
    return folder


def test_utterances_are_ordered_by_their_number(tmp_path: Path) -> None:
    write(tmp_path, "1,later,B,joy,positive,0,5\n2,first,A,anger,negative,0,1\n")
    found = meld.read(tmp_path, "train")
    assert [e.values["text"] for e in found] == ["first", "later"]
    assert found[1].values["dialogue"].speakers == ("A", "B")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("1,x,A,joyful,positive,0,0\n", "row 2: unknown emotion 'joyful'; did you mean 'joy'"),
        ("1,x,A,joy,positive,0,zero\n", "row 2: Utterance_ID 'zero' is no whole number"),
        ("1,x,,joy,positive,0,0\n", "row 2: the speaker is missing"),
        ("1,x,A,joy,positive,0,0\n2,y,A,joy,positive,0,0\n", "dialogue 0 has two utterances 0"),
    ],
)
def test_a_bad_row_of_meld_is_named(tmp_path: Path, lines: str, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        meld.read(write(tmp_path, lines), "train")


def test_another_csv_file_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train_sent_emo.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="is no file of MELD: it lacks Utterance, Speaker"):
        meld.read(tmp_path, "train")
    with pytest.raises(DataError, match=r"Looked for test_sent_emo\.csv"):
        meld.read(tmp_path, "test")
    with pytest.raises(DataError, match="unknown label of MELD 'emotions'; did you mean 'emotion'"):
        meld.read(tmp_path, "train", label="emotions")
