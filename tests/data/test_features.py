"""The feature store: whole or absent, memory-mapped, never of another extractor."""

from __future__ import annotations

import json
import pickle
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from chiasm.data import features as features_file
from chiasm.data.example import DataError
from chiasm.data.extractors import ExtractorIdentity
from chiasm.data.features import FeatureStore
from chiasm.data.flat_regions import FlatRegions
from chiasm.data.store_writer import StoreWriter

BUTD = ExtractorIdentity("butd", "1.0", "abc123", feature_size=8)
BOX = [0.1, 0.2, 0.5, 0.6]


def features_of(image: int, regions: int) -> NDArray[np.float32]:
    return np.arange(regions * 8, dtype=np.float32).reshape(regions, 8) + 1000 * image


def write(folder: Path, counts: dict[str, int], *, dtype: str = "float32") -> FeatureStore:
    with StoreWriter(folder, BUTD, dtype=dtype) as writer:
        for i, (name, regions) in enumerate(counts.items()):
            writer.append(name, features_of(i, regions), [BOX] * regions)
    return FeatureStore(folder)


def test_what_was_written_is_read_by_image_id(tmp_path: Path) -> None:
    store = write(tmp_path / "store", {"zebra": 2, "ant": 3, "bé": 1})
    assert [file.name for file in tmp_path.iterdir()] == ["store"]  # nothing is left aside
    assert len(store) == 3
    assert store.feature_size == 8
    regions = store.gather(store.rows(["ant", "bé"]))
    assert regions.features.shape == (2, 3, 8)
    assert torch.equal(regions.features[0], torch.from_numpy(features_of(1, 3)))
    assert torch.equal(regions.features[1, 0], torch.from_numpy(features_of(2, 1))[0])
    assert torch.allclose(regions.boxes[0, 0], torch.tensor(BOX))


def test_padding_is_zero_and_masked(tmp_path: Path) -> None:
    store = write(tmp_path / "store", {"a": 1, "b": 3})
    regions = store.gather(torch.tensor([0, 1]))
    assert regions.attention_mask is not None
    assert regions.attention_mask.tolist() == [[True, False, False], [True, True, True]]
    assert regions.features[0, 1:].abs().sum() == 0
    assert regions.boxes[0, 1:].abs().sum() == 0


def test_images_with_equal_counts_need_no_mask(tmp_path: Path) -> None:
    store = write(tmp_path / "store", {"a": 2, "b": 2, "c": 2})
    regions = store.gather(torch.tensor([2, 0, 2]))
    assert regions.attention_mask is None
    assert torch.equal(regions.features[1], torch.from_numpy(features_of(0, 2)))
    assert torch.equal(regions.features[0], regions.features[2])


def test_more_regions_than_wanted_are_cut_off(tmp_path: Path) -> None:
    store = write(tmp_path / "store", {"a": 5, "b": 5})
    regions = store.gather(torch.tensor([1]), max_regions=2)
    assert torch.equal(regions.features[0], torch.from_numpy(features_of(1, 5))[:2])


def test_labels_and_confidences_travel_along(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "store", BUTD) as writer:
        writer.append("a", features_of(0, 2), [BOX] * 2, labels=[5, 6], confidences=[0.5, 0.25])
        writer.append("b", features_of(1, 1), [BOX], labels=[7], confidences=[1.0])
    regions = FeatureStore(tmp_path / "store").gather(torch.tensor([1, 0]))
    assert regions.labels is not None
    assert regions.labels.tolist() == [[7, -1], [5, 6]]
    assert regions.confidences is not None
    assert regions.confidences.tolist() == [[1.0, 0.0], [0.5, 0.25]]


def test_float16_is_given_as_float32(tmp_path: Path) -> None:
    store = write(tmp_path / "half", {"a": 2, "b": 2}, dtype="float16")
    regions = store.gather(torch.tensor([0]))
    assert regions.features.dtype == torch.float32
    assert torch.allclose(regions.features[0], torch.from_numpy(features_of(0, 2)), rtol=1e-3)
    assert (tmp_path / "half" / "features.npy").stat().st_size == 128 + 4 * 8 * 2


def test_numpy_opens_the_files_of_a_store(tmp_path: Path) -> None:
    write(tmp_path / "store", {"a": 1, "b": 3})
    assert np.load(tmp_path / "store" / "features.npy").shape == (4, 8)
    assert np.load(tmp_path / "store" / "boxes.npy").shape == (4, 4)


def test_an_empty_store_and_an_image_without_regions_are_fine(tmp_path: Path) -> None:
    assert len(write(tmp_path / "none", {})) == 0
    regions = write(tmp_path / "store", {"a": 0}).gather(torch.tensor([0]))
    assert regions.features.shape == (1, 1, 8)
    assert regions.attention_mask is not None
    assert not regions.attention_mask.any()


def test_ids_that_are_missing_are_named(tmp_path: Path) -> None:
    store = write(tmp_path / "store", {"a": 1, "c": 1})
    with pytest.raises(DataError, match=r"lacks 2 of the 3 images: b, zz; it holds 2 images such as a, c"):
        store.rows(["a", "b", "zz"])


def test_another_extractor_is_refused_with_both_names(tmp_path: Path) -> None:
    write(tmp_path / "store", {"a": 1})
    wanted = ExtractorIdentity("vinvl", "2.0", "abc123", feature_size=8)
    with pytest.raises(DataError, match=r"made by butd 1\.0 .* but vinvl 2\.0 .*\(differs: name, version\)"):
        FeatureStore(tmp_path / "store", expected=wanted)
    FeatureStore(tmp_path / "store", expected=BUTD)


@pytest.mark.parametrize("field", ["version", "parameters", "boxes"])
def test_any_difference_of_the_extractor_is_refused(tmp_path: Path, field: str) -> None:
    write(tmp_path / "store", {"a": 1})
    with pytest.raises(DataError, match=rf"\(differs: {field}\)"):
        FeatureStore(tmp_path / "store", expected=replace(BUTD, **{field: "other"}))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_name_their_image(tmp_path: Path, value: float) -> None:
    bad = features_of(0, 2)
    bad[1, 3] = value
    with StoreWriter(tmp_path / "store", BUTD) as writer:
        writer.append("a", features_of(0, 2), [BOX] * 2)
        with pytest.raises(DataError, match="image b: a feature is NaN"):
            writer.append("b", bad, [BOX] * 2)
    assert len(FeatureStore(tmp_path / "store")) == 1


def test_a_value_too_large_for_float16_names_its_image(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match=r"image a: .* too large for float16"),
        StoreWriter(tmp_path / "store", BUTD, dtype="float16") as writer,
    ):
        writer.append("a", features_of(0, 1) + 1e6, [BOX])


def test_nan_in_a_store_made_elsewhere_is_found_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    write(folder, {"zebra": 2, "ant": 3})
    values = np.load(folder / "features.npy", mmap_mode="r+")
    values[3, 0] = np.nan
    values.flush()
    record = json.loads((folder / "store.json").read_text())
    (folder / "store.json").write_text(json.dumps({**record, "checked_finite": False}))
    with pytest.raises(DataError, match="features of image ant hold NaN"):
        FeatureStore(folder).check_finite()


@pytest.mark.parametrize(
    ("features", "boxes", "message"),
    [
        (np.zeros((2, 7)), [BOX] * 2, r"image a: features of shape \(2, 7\); \(regions, 8\) is expected"),
        (np.zeros((2, 8)), [BOX], r"image a: boxes of shape \(1, 4\)"),
        (np.zeros((1, 8)), [[0.1, 0.1, 40.0, 50.0]], r"image a: boxes .* numbers in \[0, 1\]"),
    ],
)
def test_wrong_shapes_and_boxes_in_pixels_name_the_image(
    tmp_path: Path, features: NDArray[np.float64], boxes: list[list[float]], message: str
) -> None:
    with pytest.raises(DataError, match=message), StoreWriter(tmp_path / "store", BUTD) as writer:
        writer.append("a", features, boxes)


def test_an_image_appended_twice_is_refused(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "store", BUTD) as writer:
        writer.append("a", features_of(0, 1), [BOX])
        with pytest.raises(DataError, match="image a is appended twice"):
            writer.append("a", features_of(0, 1), [BOX])


def test_an_interrupted_store_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupted() -> None:
        with StoreWriter(tmp_path / "store", BUTD) as writer:
            writer.append("a", features_of(0, 1), [BOX])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_store_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "store", {"a": 1})
    with pytest.raises(DataError, match="exists"):
        StoreWriter(tmp_path / "store", BUTD)


def test_a_folder_without_a_store_a_cut_file_and_another_format_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no feature store"):
        FeatureStore(tmp_path)
    folder = tmp_path / "store"
    write(folder, {"a": 2})
    whole = (folder / "features.npy").read_bytes()
    (folder / "features.npy").write_bytes(whole[:-4])
    with pytest.raises(DataError, match=r"features\.npy: 192 bytes are expected, 188 bytes found"):
        FeatureStore(folder)
    (folder / "store.json").write_text('{"format": 99}')
    with pytest.raises(DataError, match="store format 99"):
        FeatureStore(folder)


def test_nothing_gathered_can_change_the_store(tmp_path: Path) -> None:
    store = write(tmp_path / "store", {"a": 2})
    store.gather(torch.tensor([0])).features.zero_()
    store.flat.features.zero_()  # a private mapping
    assert torch.equal(
        FeatureStore(tmp_path / "store").gather(torch.tensor([0])).features[0], torch.from_numpy(features_of(0, 2))
    )


def test_giving_pages_back_does_not_change_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = write(tmp_path / "store", {"a": 2, "b": 3})
    before = store.gather(torch.tensor([0, 1]))
    monkeypatch.setattr(features_file, "RESIDENT_BYTES", 1)
    for _ in range(3):
        assert torch.equal(store.gather(torch.tensor([0, 1])).features, before.features)


def test_pickled_it_carries_its_place_not_its_data(tmp_path: Path) -> None:
    store = write(tmp_path / "store", {str(i): 36 for i in range(200)})
    store.gather(torch.tensor([0]))
    data = pickle.dumps(store)
    assert len(data) < 2000
    assert torch.equal(pickle.loads(data).gather(torch.tensor([7])).features, store.gather(torch.tensor([7])).features)


@pytest.mark.slow  # starting a process imports torch
def test_workers_read_the_same_store(tmp_path: Path) -> None:
    store = write(tmp_path / "store", {"a": 2, "b": 3})
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(_sum_of, store, 1).result() == features_of(1, 3).sum()


def _sum_of(store: FeatureStore, row: int) -> float:
    return float(store.gather(torch.tensor([row])).features.sum())


def test_opening_reads_no_features(tmp_path: Path) -> None:
    write(tmp_path / "store", {str(i): 1 for i in range(5000)})
    times = []
    for _ in range(5):
        start = time.perf_counter()
        FeatureStore(tmp_path / "store").rows(["17", "4999"])
        times.append(time.perf_counter() - start)
    assert min(times) < 0.010


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_gathering_equals_a_loop_over_images(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=6))
    rows = data.draw(st.lists(st.integers(0, len(counts) - 1), min_size=1, max_size=5))
    limit = data.draw(st.none() | st.integers(1, 3))
    total = sum(counts)
    offsets = torch.tensor([0, *np.cumsum(counts).tolist()])
    same = counts[0] if len(set(counts)) == 1 else None
    flat = FlatRegions(torch.rand(total, 3), torch.rand(total, 4), offsets, same_count=same)
    got = flat.gather(torch.tensor(rows), max_regions=limit)
    for place, row in enumerate(rows):
        expected: Tensor = flat.features[offsets[row] : offsets[row + 1]][:limit]
        there = got.features[place]
        if got.attention_mask is not None:
            assert int(got.attention_mask[place].sum()) == len(expected)
            assert bool(got.attention_mask[place, : len(expected)].all())
        assert torch.equal(there[: len(expected)], expected)
        assert not there[len(expected) :].any()
