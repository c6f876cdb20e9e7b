"""Two pictures with one id: a feature store knows images by their names alone."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chiasm.data.example import Example, RowError
from chiasm.data.extractors import ExtractorIdentity
from chiasm.data.image_files import shared_ids
from chiasm.data.importers import StoredImage, import_features
from chiasm.data.importers import npz as npz_format
from chiasm.data.regions import Preprocess
from chiasm.data.store_writer import StoreWriter


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A cat and a dog that are both called 1, and a copy of the cat."""
    for kind, colour in (("cats", "red"), ("dogs", "blue"), ("copies", "red")):
        (tmp_path / kind).mkdir()
        Image.new("RGB", (4, 4), colour).save(tmp_path / kind / "1.png")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for kind in ("cats", "dogs"):
            archive.write(tmp_path / kind / "1.png", f"{kind}/1.png")
    return tmp_path


def test_rows_about_two_files_of_one_id_are_not_given_the_same_features(pictures: Path) -> None:
    with StoreWriter(pictures / "store", ExtractorIdentity("butd", "1", "-", feature_size=4)) as writer:
        writer.append("1", np.ones((1, 4)), [[0, 0, 1, 1]])
    rows = [Example(kind, {"images": (str(pictures / kind / "1.png"),)}) for kind in ("cats", "dogs", "copies")]
    with pytest.raises(RowError, match=r"row dogs: image .* is another file than .* has the same id '1'"):
        Preprocess(store=str(pictures / "store")).encode(rows)
    assert Preprocess(store=str(pictures / "store")).encode([rows[0], rows[2]]).index.tolist() == [[0], [0]]


def test_members_of_an_archive_are_compared_too(pictures: Path) -> None:
    members = [f"{pictures}/all.zip::{kind}/1.png" for kind in ("cats", "dogs")]
    assert list(shared_ids([members[0], members[1], str(pictures / "copies" / "1.png")])) == [1]


def test_files_that_are_not_there_are_not_compared_as_a_store_needs_none(pictures: Path) -> None:
    assert shared_ids(["vqa/COCO_1.jpg", "captions/COCO_1", f"{pictures}/all.zip::gone/1.png", b"bytes"]) == {}


def test_an_imported_image_whose_box_has_no_area_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = {"a": [0, 0, 1, 1], "b": [0.5, 0.5, 0.5, 0.5]}
    found = [StoredImage(n, np.ones((1, 2), np.float32), np.array([box], np.float32)) for n, box in boxes.items()]
    monkeypatch.setattr(npz_format, "read", lambda _: iter(found))
    store = import_features(tmp_path, "npz", tmp_path / "store", made_by="x")
    assert len(store) == 1
    assert (
        "row b: no features that can be used (box 1, [0.5, 0.5, 0.5, 0.5], has no area" in store.about["left_out"]["b"]
    )
