"""What a feature store refuses: boxes that are none, altered bytes, a record that is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chiasm.data.example import DataError
from chiasm.data.features import FeatureStore
from chiasm.data.store_writer import StoreWriter

from .test_features import BOX, BUTD, features_of, write


@pytest.mark.parametrize("box", [[0.9, 0.9, 0.1, 0.1], [0.5, 0.5, 0.5, 0.5], [0.1, 0.5, 0.2, 0.5]])
def test_a_box_that_is_turned_round_or_has_no_area_names_the_image(tmp_path: Path, box: list[float]) -> None:
    with (
        pytest.raises(DataError, match=r"image a: box 2, .* has no area"),
        StoreWriter(tmp_path / "store", BUTD) as writer,
    ):
        writer.append("a", features_of(0, 2), [BOX, box])


def test_bytes_that_were_altered_are_found_where_the_size_is_the_same(tmp_path: Path) -> None:
    store = write(tmp_path / "store", {"zebra": 2, "ant": 0, "bee": 3})
    store.check_bytes()
    for name in ("features.npy", "ids.npy"):
        file = tmp_path / "store" / name
        whole = file.read_bytes()
        file.write_bytes(whole[:-4] + np.float32(np.nan).tobytes())
        with pytest.raises(DataError, match=rf"{name} was altered or damaged"):
            FeatureStore(tmp_path / "store").check_bytes()
        file.write_bytes(whole)
    write(tmp_path / "none", {}).check_bytes()
    record = json.loads((tmp_path / "store" / "store.json").read_text())
    del record["checksums"]
    (tmp_path / "store" / "store.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="was made without checksums"):
        FeatureStore(tmp_path / "store").check_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: [1], "it holds no object"),
        (lambda record: {**record, "files": [1]}, "no usable files"),
        (lambda record: {key: value for key, value in record.items() if key != "files"}, "no usable files"),
        (lambda record: {**record, "files": {**record["files"], "ids.npy": "9"}}, r"no usable ids\.npy"),
        (lambda record: {**record, "files": {}}, r"no usable boxes\.npy, features\.npy"),
        (lambda record: {**record, "extractor": {"name": "x"}}, "no usable extractor"),
        (lambda record: {**record, "extractor": "x"}, "no usable extractor"),
        (lambda record: {**record, "images": None}, "no usable images"),
    ],
)
def test_a_record_that_is_none_is_named(tmp_path: Path, change: Callable[[Any], Any], message: str) -> None:
    write(tmp_path / "store", {"a": 1})
    file = tmp_path / "store" / "store.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    with pytest.raises(DataError, match=rf"store\.json is damaged \({message}"):
        FeatureStore(tmp_path / "store")
