"""The published IEMOCAP pickle, imitated: split, labels, features, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chiasm.data.example import DataError
from chiasm.data.sources import dialogues, iemocap


def content(count: int = 5) -> list[Any]:
    """The nine parts, with `count` dialogues of three utterances, the last two of the test split."""
    names = [f"Ses0{i}F_impro01" for i in range(1, count + 1)]
    random = np.random.default_rng(0)
    sizes = {"text": 100, "audio": 100, "visual": 512}
    features = {m: {n: [random.normal(size=size) for _ in range(3)] for n in names} for m, size in sizes.items()}
    return [
        {n: [f"{n}_{i}" for i in range(3)] for n in names},
        {n: ["M", "F", "M"] for n in names},
        {n: [0, 5, 2] for n in names},
        *features.values(),
        {n: ["hello", "no", "well"] for n in names},
        names[: count - 2],
        set(names[count - 2 :]),
    ]


def write(folder: Path, parts: Any) -> Path:
    (folder / "IEMOCAP_features_raw.pkl").write_bytes(pickle.dumps(tuple(parts), protocol=2))
    return folder


def test_the_published_split_and_labels_are_read(tmp_path: Path) -> None:
    train, test = (iemocap.read(write(tmp_path, content()), split) for split in ("train", "test"))
    assert (len(train), len(test)) == (9, 6)
    assert [e.values["answer"] for e in test[:3]] == ["hap", "fru", "neu"]
    assert test[0].info == {"cluster": "Ses04F_impro01", "speaker": "M"}
    sizes = {name: table.shape for name, table in test[0].values["dialogue"].features.items()}
    assert sizes == {"text": (3, 100), "audio": (3, 100), "visual": (3, 512)}


def test_icons_validation_split_overlaps_the_test_split_and_must_be_asked_for(tmp_path: Path) -> None:
    write(tmp_path, content())
    leaky = iemocap.read(tmp_path, "leaky", protocol="leaky_icon")
    test = {e.id for e in iemocap.read(tmp_path, "test")}
    assert {e.id for e in leaky} < test
    with pytest.raises(DataError, match="no split 'leaky'"):
        iemocap.read(tmp_path, "leaky")


def test_the_converted_folder_holds_the_same_examples(tmp_path: Path) -> None:
    write(tmp_path, content())
    folder = iemocap.convert(tmp_path / "IEMOCAP_features_raw.pkl", tmp_path / "plain")
    for split in ("train", "test"):
        before, after = iemocap.read(tmp_path, split), dialogues.read(folder, split)
        assert [e.id for e in before] == [e.id for e in after]
        assert [e.values["answer"] for e in before] == [e.values["answer"] for e in after]
        for one, other in zip(before, after, strict=True):
            for name, table in one.values["dialogue"].features.items():
                np.testing.assert_array_equal(table, other.values["dialogue"].features[name])


def changed(place: int, value: Any) -> list[Any]:
    return [value if i == place else part for i, part in enumerate(content())]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (content()[:5], "holds 5 parts; the published IEMOCAP features have 9"),
        (changed(2, []), "the part labels is a list"),
        (changed(2, {n: [0, 9, 2] for n in content()[0]}), "label 9 is not one of 0 to 5"),
        (changed(1, {n: ["M"] for n in content()[0]}), "3 texts for 1 utterances"),
        (changed(3, {}), "one of the parts lacks it"),
        (changed(7, content()[8]), "2 dialogues are in both splits"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, parts: list[Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        iemocap.read(write(tmp_path, parts), "train")


def test_a_missing_file_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Looked for IEMOCAP_features_raw\.pkl"):
        iemocap.read(tmp_path, "train")
