"""MELD (Poria and others, 2019): dialogues of several speakers from a television series, by the official CSV files.

Only the words are read here. An utterance's position is its `Utterance_ID`; numbers that are left out in the files
(utterances that were removed from the release) leave no gap.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from chiasm.data.conversation import Conversation, examples_of
from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.sources._files import first_file
from chiasm.registry import nearest

SPLITS = ("train", "dev", "test")
FILES = "train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv"
LABELS = {"emotion": "Emotion", "sentiment": "Sentiment"}
EMOTIONS = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
SENTIMENTS = ("neutral", "positive", "negative")
COLUMNS = ("Utterance", "Speaker", "Dialogue_ID", "Utterance_ID")


def read(folder: Path, split: str, *, label: str = "emotion") -> list[Example]:
    """One example for each utterance. `label` is "emotion" or "sentiment". Raises `DataError`, `RowError`."""
    if label not in LABELS:
        raise DataError(nearest(label, LABELS, what="label of MELD"))
    file = first_file(folder, [f"{split}_sent_emo.csv"], wanted=f"the split {split!r} of MELD")
    try:
        table = pd.read_csv(file, encoding="utf-8", dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{file} is no valid CSV file ({error})") from error
    missing = [name for name in (*COLUMNS, LABELS[label]) if name not in table.columns]
    if missing:
        raise DataError(f"{file} is no file of MELD: it lacks {', '.join(missing)}")
    rows: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    return [e for group in _dialogues(rows, file) for e in _examples(group, split, LABELS[label], file)]


def _dialogues(rows: Sequence[dict[str, Any]], file: Path) -> list[list[dict[str, Any]]]:
    """The rows of each dialogue, in the order of time; each row with its line in the file."""
    groups: dict[str, list[dict[str, Any]]] = {}
    errors = []
    for number, row in enumerate(rows, start=2):
        origin = f"{file}, row {number}"
        if not str(row["Utterance_ID"]).isdigit():
            errors.append(RowError(f"Utterance_ID {row['Utterance_ID']!r} is no whole number", origin=origin))
        elif not row["Speaker"]:
            errors.append(RowError("the speaker is missing", origin=origin))
        else:
            groups.setdefault(row["Dialogue_ID"], []).append({**row, "origin": origin})
    for group in groups.values():
        group.sort(key=lambda row: int(row["Utterance_ID"]))
        for one, next_one in itertools.pairwise(group):
            if one["Utterance_ID"] == next_one["Utterance_ID"]:
                reason = f"dialogue {one['Dialogue_ID']} has two utterances {one['Utterance_ID']}"
                errors.append(RowError(reason, origin=next_one["origin"]))
    raise_rows(errors)
    return list(groups.values())


def _examples(rows: Sequence[Mapping[str, Any]], split: str, column: str, file: Path) -> list[Example]:
    known = EMOTIONS if column == "Emotion" else SENTIMENTS
    raise_rows(
        RowError(nearest(row[column], known, what=column.lower()), origin=row["origin"])
        for row in rows
        if row[column] not in known
    )
    conversation = Conversation(
        f"{split}{rows[0]['Dialogue_ID']}",
        tuple(row["Speaker"] for row in rows),
        tuple(row["Utterance"] for row in rows),
        origin=rows[0]["origin"],
    )
    return examples_of(conversation, [row[column] for row in rows])
