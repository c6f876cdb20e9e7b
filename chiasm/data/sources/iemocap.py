"""IEMOCAP (Busso and others, 2008) as its features are published, in `IEMOCAP_features_raw.pkl`: 151 dialogues of two.

The file is a pickle; it is read without being run (`chiasm.data.plain_pickle`). It holds, for each dialogue, speakers
(M or F), labels, text (100), audio (100) and visual (512) features, sentences, and the published split: 120 dialogues
of sessions 1 to 4 for training, 31 of session 5 for test. There is no published validation split; the recipes hold
out a tenth of the *training* dialogues (`[data] validation_share`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chiasm.data.conversation import Conversation, examples_of
from chiasm.data.dialogue_folder import Labelled, write_dialogues
from chiasm.data.example import DataError, Example, RowError
from chiasm.data.plain_pickle import read_plain_pickle
from chiasm.data.sources._files import first_file

SPLITS = ("train", "test")
FILES = "IEMOCAP_features_raw.pkl (of conv-emotion)"
EMOTIONS = ("hap", "sad", "neu", "ang", "exc", "fru")  # by the file's numbers 0 to 5
MODALITIES = ("text", "audio", "visual")
PARTS = ("ids", "speakers", "labels", *MODALITIES, "sentences", "train", "test")
PLACES = ("IEMOCAP_features_raw.pkl", "IEMOCAP_features/IEMOCAP_features_raw.pkl")


def read(folder: Path, split: str, *, protocol: str = "published") -> list[Example]:
    """One example for each utterance of a split. Raises `DataError`, `RowError`.

    `protocol="leaky_icon"` adds the split "leaky": 60 % of the test dialogues, which ICON's code takes for
    validation although they are tested on as well. It is here to explain numbers, not to make them.
    """
    file = first_file(folder, PLACES, wanted="the features of IEMOCAP")
    known = (*SPLITS, "leaky") if protocol == "leaky_icon" else SPLITS
    if protocol not in ("published", "leaky_icon"):
        raise DataError(f"protocol {protocol!r}: known are published, leaky_icon")
    if split not in known:
        raise DataError(f"IEMOCAP has no split {split!r}; known are {', '.join(known)}")
    dialogues = [one for one in read_pickle(file) if one.split == ("test" if split == "leaky" else split)]
    if split == "leaky":
        dialogues = dialogues[: round(0.6 * len(dialogues))]
    return [e for one in dialogues for e in examples_of(one.conversation, one.labels)]


def convert(pickle_file: Path, folder: Path) -> Path:
    """The pickle's dialogues as the plain files that the source `dialogues` reads; returns the folder."""
    write_dialogues(folder, read_pickle(pickle_file))
    return folder


def read_pickle(file: Path) -> list[Labelled]:
    """All dialogues in the file, those of the training split first. Raises `DataError` when it is another file."""
    content = read_plain_pickle(file)
    if not isinstance(content, tuple | list) or len(content) != len(PARTS):
        held = f"{len(content)} parts" if isinstance(content, tuple | list) else f"a {type(content).__name__}"
        raise DataError(f"{file} holds {held}; the published IEMOCAP features have {len(PARTS)}: {', '.join(PARTS)}")
    parts = dict(zip(PARTS, content, strict=True))
    for name in PARTS[:-2]:
        if not isinstance(parts[name], Mapping):
            raise DataError(f"{file}: the part {name} is a {type(parts[name]).__name__}; a dictionary is expected")
    both = set(parts["train"]) & set(parts["test"])
    if both:
        raise DataError(f"{file}: {len(both)} dialogues are in both splits, e.g. {sorted(both)[0]}")
    order = [(name, split) for split in SPLITS for name in sorted(parts[split])]
    return [_dialogue(name, split, parts, file) for name, split in order]


def _dialogue(name: str, split: str, parts: Mapping[str, Mapping[str, Any]], file: Path) -> Labelled:
    origin = f"{file}, dialogue {name}"
    try:
        features = {m: np.asarray(parts[m][name], dtype=np.float32) for m in MODALITIES}
        texts = tuple(str(text) for text in parts["sentences"][name])
        speakers = tuple(str(speaker) for speaker in parts["speakers"][name])
        labels = _labels(parts["labels"][name], origin)
    except KeyError as error:
        raise DataError(f"{origin}: one of the parts lacks it ({error})") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"{origin}: its values do not fit together ({error})") from error
    return Labelled(Conversation(name, speakers, texts, features, origin), labels, split)


def _labels(numbers: Sequence[int], origin: str) -> tuple[str, ...]:
    wrong = [n for n in numbers if not 0 <= int(n) < len(EMOTIONS)]
    if wrong:
        raise RowError(f"label {wrong[0]!r} is not one of 0 to {len(EMOTIONS) - 1}", origin=origin)
    return tuple(EMOTIONS[int(n)] for n in numbers)
