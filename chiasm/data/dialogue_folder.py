"""Conversations in a folder: `dialogues.jsonl` with who says what, `features.safetensors` with the features.

    {"id": "Ses01F_impro01", "split": "train", "speakers": ["F", "M"], "labels": ["neu", null], "texts": ["...", ""]}

The rows of every table in `features.safetensors` are the utterances of all dialogues, in the file's order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from chiasm.data.conversation import Conversation, Features
from chiasm.data.example import DataError, Example, RowError, raise_rows

DIALOGUES, FEATURES = "dialogues.jsonl", "features.safetensors"


@dataclass(frozen=True)
class Labelled:
    """A conversation, a label for each utterance (None: unknown) and the split it belongs to."""

    conversation: Conversation
    labels: tuple[str | None, ...]
    split: str


def gathered(examples: Sequence[Example], split: str) -> list[Labelled]:
    """The dialogues behind a source's examples, with their labels; utterances that are no example have none."""
    labels: dict[int, list[str | None]] = {}
    found: dict[int, Conversation] = {}
    for example in examples:
        conversation, position = example.values["dialogue"], example.values["position"]
        found.setdefault(id(conversation), conversation)
        labels.setdefault(id(conversation), [None] * len(conversation))[position] = example.values["answer"]
    return [Labelled(conversation, tuple(labels[key]), split) for key, conversation in found.items()]


def with_features(dialogues: Sequence[Labelled], name: str, tables: Sequence[Features]) -> list[Labelled]:
    """The dialogues with one more modality: a table (U, F) for each, in order. Raises `RowError`."""
    changed = []
    for one, table in zip(dialogues, tables, strict=True):
        features = {**one.conversation.features, name: table}
        changed.append(replace(one, conversation=replace(one.conversation, features=features)))
    return changed


def write_dialogues(folder: Path, dialogues: Sequence[Labelled]) -> None:
    """Write both files. Raises `DataError` when the dialogues do not all have the same modalities."""
    names = {tuple(sorted(one.conversation.features)) for one in dialogues}
    if len(names) != 1:
        raise DataError(f"dialogues with different modalities cannot share a folder: {sorted(names)}")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / DIALOGUES).open("w", encoding="utf-8") as file:
        for one in dialogues:
            file.write(json.dumps(_record(one), ensure_ascii=False) + "\n")
    (modalities,) = names
    tables = {n: np.concatenate([one.conversation.features[n] for one in dialogues]) for n in modalities}
    if tables:
        save_file({name: table.astype(np.float32) for name, table in tables.items()}, folder / FEATURES)


def _record(one: Labelled) -> dict[str, Any]:
    conversation = one.conversation
    record: dict[str, Any] = {"id": conversation.id, "split": one.split, "speakers": list(conversation.speakers)}
    record["labels"] = list(one.labels)
    if conversation.texts is not None:
        record["texts"] = list(conversation.texts)
    return record


def read_dialogues(folder: Path, records: Iterable[tuple[int, Any]]) -> list[Labelled]:
    """The dialogues of numbered records of `dialogues.jsonl`, with their features. Raises `DataError`, `RowError`."""
    tables = _tables(folder / FEATURES)
    found, errors, start = [], [], 0
    for line, record in records:
        origin = f"{folder / DIALOGUES}, line {line}"
        try:
            one = _labelled(record, tables, start, origin)
        except RowError as error:
            errors.append(error)
            count = len(record.get("speakers", ())) if isinstance(record, Mapping) else 0
        else:
            found.append(one)
            count = len(one.conversation)
        start += count
    raise_rows(errors)
    for name, table in tables.items():
        if len(table) != start:
            raise DataError(
                f"{folder / FEATURES}: {len(table)} rows of {name} features for the {start} utterances in {DIALOGUES}"
            )
    return found


def _tables(file: Path) -> dict[str, Features]:
    if not file.is_file():
        return {}
    try:
        return load_file(file)
    except SafetensorError as error:
        raise DataError(f"{file} is no safetensors file: {error}") from error


def _labelled(record: Any, tables: Mapping[str, Features], start: int, origin: str) -> Labelled:
    if not isinstance(record, Mapping) or not all(key in record for key in ("id", "split", "speakers", "labels")):
        raise RowError("a dialogue needs id, split, speakers and labels", origin=origin)
    speakers, labels, texts = record["speakers"], record["labels"], record.get("texts")
    if len(labels) != len(speakers):
        raise RowError(f"{len(labels)} labels for {len(speakers)} speakers", origin=origin, row_id=str(record["id"]))
    features = {name: table[start : start + len(speakers)] for name, table in tables.items()}
    words = None if texts is None else tuple(texts)
    conversation = Conversation(str(record["id"]), tuple(speakers), words, features, origin)
    return Labelled(conversation, tuple(labels), str(record["split"]))
