"""Stores from other tools' files and back: the same numbers, one image in memory at a time, bad files named."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from chiasm.data.example import DataError
from chiasm.data.exporters import export_features
from chiasm.data.extractors import ExtractorIdentity
from chiasm.data.features import FeatureStore
from chiasm.data.importers import StoredImage, import_features
from chiasm.data.importers import npz as npz_format
from chiasm.data.store_writer import StoreWriter
from chiasm.data.tsv import read_tsv
from chiasm.registry import UnknownName

SIZE, WIDTH, HEIGHT = 8, 64, 32  # powers of two, so that boxes come back to the last bit
IDENTITY = ExtractorIdentity("butd", "1", "-", SIZE)


def regions(seed: int, count: int) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(seed)
    low = random.integers(0, 16, (count, 2))
    return {
        "features": random.random((count, SIZE), dtype=np.float32).astype(np.float16).astype(np.float32),
        "boxes": np.concatenate([low, low + random.integers(1, 16, (count, 2))], 1) / np.float32(32),
        "labels": random.integers(0, 9, count),
        "confidences": random.random(count, dtype=np.float32),
    }


ALL = {name: regions(seed, seed + 1) for seed, name in enumerate(["b", "a", "c"])}


def write_store(folder: Path) -> FeatureStore:
    with StoreWriter(folder, IDENTITY, dtype="float16") as writer:
        for name, one in ALL.items():
            writer.append(name, **one)  # type: ignore[arg-type]
    return FeatureStore(folder)


def pixels(one: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    return (one["boxes"] * [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype(np.float32)


def assert_equal(store: FeatureStore, *, labels: bool = True) -> None:
    assert {name.decode() for name in store.ids} == set(ALL)
    for name, one in ALL.items():
        found = store.gather(store.rows([name]))
        np.testing.assert_array_equal(found.features[0], one["features"])
        np.testing.assert_array_equal(found.boxes[0], one["boxes"])
        if labels:
            assert found.labels is not None
            assert found.confidences is not None
            np.testing.assert_array_equal(found.labels[0], one["labels"])
            np.testing.assert_array_equal(found.confidences[0], one["confidences"])


@pytest.mark.parametrize("sized", [False, True])
@pytest.mark.parametrize("name", ["tsv", "npz"])
def test_exported_and_imported_a_store_is_the_same(tmp_path: Path, name: str, sized: bool) -> None:
    images = {i: Image.new("RGB", (WIDTH, HEIGHT)) for i in ALL} if sized else None
    assert export_features(write_store(tmp_path / "store"), name, tmp_path / "out", images=images) == 3
    again = import_features(tmp_path / "out", name, tmp_path / "again", made_by="butd")
    assert_equal(again)
    if name == "tsv":
        (first, *_) = read_tsv(tmp_path / "out")
        assert first.id == "a"
    else:
        with np.load(tmp_path / "out" / "b.npz") as arrays:
            np.testing.assert_array_equal(arrays["bbox"], pixels(ALL["b"]) if sized else ALL["b"]["boxes"])
    with pytest.raises(DataError, match="out exists"):
        export_features(write_store(tmp_path / "other"), name, tmp_path / "out")


def info(one: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """What MMF keeps beside the features."""
    shares = np.zeros((len(one["labels"]), 10), np.float32)
    shares[:, 3] = one["confidences"]
    return {
        "bbox": pixels(one),
        "num_boxes": len(one["labels"]),
        "objects": one["labels"],
        "cls_prob": shares,
        "image_width": WIDTH,
        "image_height": HEIGHT,
    }


def test_a_folder_of_mmf_is_read_without_running_its_pickles(tmp_path: Path) -> None:
    folder = tmp_path / "npy"
    (folder / "train").mkdir(parents=True)
    for name, one in ALL.items():
        np.save(folder / "train" / f"{name}.npy", one["features"])
        np.save(folder / "train" / f"{name}_info.npy", info(one), allow_pickle=True)  # type: ignore[arg-type]
    assert_equal(import_features(folder, "npy", tmp_path / "store", made_by="mmf"))


def test_a_folder_of_pythia_and_one_with_plain_boxes_are_read(tmp_path: Path) -> None:
    for kind in ("pythia", "plain"):
        (tmp_path / kind).mkdir()
    for name, one in ALL.items():
        both = {**info(one), "image_feat": one["features"]}
        np.save(tmp_path / "pythia" / f"{name}.npy", both, allow_pickle=True)  # type: ignore[arg-type]
        np.save(tmp_path / "plain" / f"{name}.npy", one["features"])
        np.save(tmp_path / "plain" / f"{name}_boxes.npy", one["boxes"])
    assert_equal(import_features(tmp_path / "pythia", "npy", tmp_path / "one", made_by="pythia"))
    assert_equal(import_features(tmp_path / "plain", "npy", tmp_path / "two", made_by="own"), labels=False)


class Harmful:
    def __reduce__(self) -> Any:
        return (print, ("run!",))


def test_harmful_and_incomplete_files_are_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = ALL["b"]
    np.save(tmp_path / "good.npy", good["features"])
    np.save(tmp_path / "good_info.npy", info(good), allow_pickle=True)  # type: ignore[arg-type]
    np.save(tmp_path / "harm.npy", {"features": Harmful()}, allow_pickle=True)  # type: ignore[arg-type]
    np.save(tmp_path / "lone.npy", good["features"])
    np.save(tmp_path / "thin.npy", good["features"])
    np.save(tmp_path / "thin_info.npy", {"bbox": pixels(good)}, allow_pickle=True)  # type: ignore[arg-type]
    store = import_features(tmp_path, "npy", tmp_path / "store", made_by="mmf")
    left = store.about["left_out"]
    assert set(left) == {"harm", "lone", "thin"}
    assert "builtins.print" in left["harm"]
    assert "neither lone_info.npy nor lone_boxes.npy" in left["lone"]
    assert "image_width or image_w or width or img_w is missing" in left["thin"]
    assert capsys.readouterr().out == ""


def test_mmfs_database_is_read(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb", reason="pip install 'chiasm[lmdb]'")
    with lmdb.open(str(tmp_path / "data.lmdb"), map_size=2**20) as database, database.begin(write=True) as writing:
        for name, one in ALL.items():
            writing.put(f"train/{name}".encode(), pickle.dumps({**info(one), "features": one["features"]}))
        writing.put(b"keys", pickle.dumps([f"train/{name}".encode() for name in ALL]))
    assert_equal(import_features(tmp_path / "data.lmdb", "lmdb", tmp_path / "store", made_by="mmf"))
    with pytest.raises(DataError, match="is no LMDB database"):
        import_features(Path(__file__), "lmdb", tmp_path / "other", made_by="mmf")


@pytest.mark.parametrize("index", ["pkl", "json"])
@pytest.mark.parametrize("even", [False, True])
def test_regats_files_are_read_with_even_and_uneven_numbers_of_boxes(tmp_path: Path, even: bool, index: str) -> None:
    h5py = pytest.importorskip("h5py", reason="pip install 'chiasm[hdf5]'")
    images = {7: regions(0, 2), 9: regions(1, 2 if even else 3)}
    with h5py.File(tmp_path / "val.hdf5", "w") as file:
        join = np.stack if even else np.concatenate
        file["image_features"] = join([one["features"] for one in images.values()])
        extents = [one["boxes"][:, 2:] - one["boxes"][:, :2] for one in images.values()]
        spatial = [np.concatenate([o["boxes"], e], 1) for o, e in zip(images.values(), extents, strict=True)]
        file["spatial_features"] = join(spatial)
        if not even:
            file["pos_boxes"] = np.array([[0, 2], [2, 5]])
    rows = {7: 0, 9: 1}
    if index == "pkl":
        (tmp_path / "val_imgid2idx.pkl").write_bytes(pickle.dumps(rows))
    else:
        (tmp_path / "val_imgid2idx.json").write_text(json.dumps(rows))
    store = import_features(tmp_path / "val.hdf5", "hdf5", tmp_path / "store", made_by="butd", ids="COCO_val_{:04d}")
    for number, one in images.items():
        found = store.gather(store.rows([f"COCO_val_{number:04d}"]))
        np.testing.assert_array_equal(found.features[0], one["features"])
        np.testing.assert_array_equal(found.boxes[0], one["boxes"])


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="pip install 'chiasm[hdf5]'")
    with h5py.File(tmp_path / "val.hdf5", "w") as file:
        file["image_features"] = np.zeros((2, 1, 3))
    with pytest.raises(DataError, match=r"val_imgid2idx\.pkl is not beside"):
        import_features(tmp_path / "val.hdf5", "hdf5", tmp_path / "store", made_by="x")
    (tmp_path / "val_imgid2idx.pkl").write_bytes(pickle.dumps({1: 0}))
    with pytest.raises(DataError, match="lacks spatial_features"):
        import_features(tmp_path / "val.hdf5", "hdf5", tmp_path / "store", made_by="x")


def test_who_made_the_features_must_be_said_unless_the_format_tells(tmp_path: Path) -> None:
    export_features(write_store(tmp_path / "store"), "npz", tmp_path / "out")
    with pytest.raises(DataError, match=r"give its name \(--made-by NAME\)"):
        import_features(tmp_path / "out", "npz", tmp_path / "again")
    with pytest.raises(UnknownName, match=r"unknown format of features 'np'; did you mean 'npz' or 'npy'"):
        import_features(tmp_path / "out", "np", tmp_path / "again")
    made = import_features(tmp_path / "out", "npz", tmp_path / "again", made_by="vinvl", version="2")
    assert str(made.identity) == "vinvl 2 (parameters imported, 8 features)"


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(count: int) -> Iterator[StoredImage]:
        for i in range(count):
            yield StoredImage(f"{i:05d}", np.ones((50, 200), np.float32), np.tile(np.float32([0, 0, 1, 1]), (50, 1)))

    def peak(count: int) -> tuple[int, int]:
        monkeypatch.setattr(npz_format, "read", lambda _: read(count))
        tracemalloc.start()
        store = import_features(tmp_path, "npz", tmp_path / f"store{count}", made_by="x")
        imported = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        export_features(store, "tsv", tmp_path / f"{count}.tsv")
        exported = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return imported, exported

    few, many = peak(5), peak(100)  # 100 images of 40 kB: 4 MB if they were held
    assert many[0] < few[0] + 500_000
    assert many[1] < few[1] + 500_000
