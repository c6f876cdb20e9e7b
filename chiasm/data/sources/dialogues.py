"""Dialogues in a folder of this library's own: generated ones, and IEMOCAP as the converter writes it."""

from __future__ import annotations

from pathlib import Path

from chiasm.data.conversation import examples_of
from chiasm.data.dialogue_folder import DIALOGUES, read_dialogues
from chiasm.data.example import DataError, Example
from chiasm.data.sources._files import first_file, read_json_lines

SPLITS = ("train", "val", "test")
FILES = "dialogues.jsonl and, with features, features.safetensors (`chiasm convert iemocap` writes them)"


def read(folder: Path, split: str) -> list[Example]:
    """One example for each labelled utterance of a split's dialogues. Raises `DataError`."""
    file = first_file(folder, [DIALOGUES], wanted="the file of the dialogues")
    found = read_dialogues(folder, read_json_lines(file))
    known = sorted({one.split for one in found})
    if split not in known:
        raise DataError(f"{file} has no split {split!r}; it has {', '.join(known) or 'no dialogue'}")
    examples = [e for one in found if one.split == split for e in examples_of(one.conversation, one.labels)]
    return [example for example in examples if example.values["answer"] is not None]
