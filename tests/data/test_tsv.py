"""LXMERT's region files become feature stores."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from chiasm.data.example import DataError, RowError
from chiasm.data.extractors import ExtractorIdentity
from chiasm.data.tsv import BOTTOM_UP, read_tsv, store_from_tsv

SMALL = ExtractorIdentity("small", "1", "-", feature_size=4)


def line(name: str, seed: int) -> str:
    random = np.random.default_rng(seed)
    boxes = np.array([[0, 0, 320, 240], [320, 120, 640, 480]], dtype=np.float32)
    arrays = {
        "objects_id": np.array([7, 9], dtype=np.int64),
        "objects_conf": np.array([0.5, 0.25], dtype=np.float32),
        "attrs_id": np.array([1, 2], dtype=np.int64),
        "attrs_conf": np.array([0.5, 0.5], dtype=np.float32),
        "boxes": boxes,
        "features": random.random((2, 4), dtype=np.float32),
    }
    text = {key: base64.b64encode(value.tobytes()).decode() for key, value in arrays.items()}
    detected = [text[k] for k in ("objects_id", "objects_conf", "attrs_id", "attrs_conf")]
    return "\t".join([name, "480", "640", *detected, "2", text["boxes"], text["features"]])


def test_a_store_holds_what_the_file_holds_with_boxes_divided_by_the_size(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(line("z", 0) + "\n" + line("a", 1) + "\n")
    store = store_from_tsv([tmp_path / "a.tsv"], tmp_path / "store", identity=SMALL, dtype="float32")
    regions = store.gather(store.rows(["a"]))
    assert np.array_equal(regions.features[0].numpy(), np.random.default_rng(1).random((2, 4), dtype=np.float32))
    assert regions.boxes[0].tolist() == [[0, 0, 0.5, 0.5], [0.5, 0.25, 1, 1]]
    assert regions.labels is not None
    assert regions.labels.tolist() == [[7, 9]]
    assert store.identity == SMALL


def test_features_of_another_size_than_the_identity_says_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(line("z", 0))
    with pytest.raises(DataError, match=r"image z: features of shape \(2, 4\); \(regions, 2048\)"):
        store_from_tsv([tmp_path / "a.tsv"], tmp_path / "store", identity=BOTTOM_UP)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [(line("z", 0)[:-9], "line 2, row z: the line is damaged"), ("a\tb", r"line 2: 2 columns instead of 10")],
)
def test_a_damaged_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.tsv").write_text(line("y", 0) + "\n" + text + "\n")
    with pytest.raises(RowError, match=message):
        list(read_tsv(tmp_path / "a.tsv"))
    with pytest.raises(DataError, match="is not there"):
        list(read_tsv(tmp_path / "b.tsv"))
