"""CMU-MOSI (Zadeh and others, 2016): each video is a dialogue of one speaker; polarity of every utterance.

The features are those that are published beside bc-LSTM: text 100, audio 73, video 100 for each utterance.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chiasm.data.conversation import Conversation, Features, examples_of
from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.sources._files import first_file, read_json_lines

SPLITS = ("train", "test")
FILES = "mosi_utterance_features.npz, utterances.jsonl"
MODALITIES = {"text": "text", "audio": "audio", "visual": "video"}  # ours -> the file's
POLARITY = ("negative", "positive")


def read(folder: Path, split: str) -> list[Example]:
    """One example for each utterance, its dialogue the video. Raises `DataError`, `RowError`."""
    tables = _tables(first_file(folder, ["mosi_utterance_features.npz"], wanted="the features"), split)
    file = first_file(folder, ["utterances.jsonl"], wanted="the transcripts")
    videos: dict[str, list[dict[str, Any]]] = {}
    for line, record in read_json_lines(file):
        if record.get("split") == split:
            videos.setdefault(record["video"], []).append({**record, "origin": f"{file}, line {line}"})
    if not videos:
        raise DataError(f"{file} has no split {split!r}; known are {', '.join(SPLITS)}")
    return [example for video, rows in videos.items() for example in _examples(video, rows, tables)]


def _tables(file: Path, split: str) -> dict[str, Features]:
    with np.load(file, allow_pickle=False) as arrays:
        wanted = {ours: f"{theirs}_{split}" for ours, theirs in MODALITIES.items()}
        missing = [name for name in wanted.values() if name not in arrays]
        if missing:
            raise DataError(f"{file} lacks {', '.join(missing)}; it holds {', '.join(arrays)}")
        return {ours: arrays[name].astype(np.float32) for ours, name in wanted.items()}


def _examples(video: str, rows: list[dict[str, Any]], tables: Mapping[str, Features]) -> list[Example]:
    """A video's utterances in the order in which they are said."""
    rows = sorted(rows, key=lambda row: int(row["pos"]))
    places = [int(row["row"]) for row in rows]
    count = min(len(table) for table in tables.values())
    raise_rows(
        RowError(f"row {place} is not among the {count} rows of features", origin=row["origin"])
        for place, row in zip(places, rows, strict=True)
        if not 0 <= place < count
    )
    features = {name: table[places] for name, table in tables.items()}
    texts = tuple(str(row["text"]) for row in rows)
    conversation = Conversation(video, ("speaker",) * len(rows), texts, features, rows[0]["origin"])
    return examples_of(conversation, [POLARITY[int(row["label"])] for row in rows])
