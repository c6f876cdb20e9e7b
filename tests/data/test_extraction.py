"""Extraction of a folder: what a store holds, bad images, being killed, several workers, records."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chiasm.data import extraction, extraction_part, extraction_workers, records
from chiasm.data.example import DataError
from chiasm.data.extraction import extract
from chiasm.data.extraction_part import batches, read_part
from chiasm.data.extractors import Extraction, Extractor, make_extractor
from chiasm.data.features import FeatureStore
from chiasm.data.image_files import find_images
from chiasm.data.images import open_image, upright_size

ROOT = Path(__file__).resolve().parents[2]
GRID = {"rows": 2, "columns": 2}


def draw(folder: Path, count: int, *, side: int = 12) -> dict[str, str]:
    """So many noisy pictures, and their ids."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for i in range(count):
        Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(folder / f"p{i:03d}.png")
    return find_images(folder)[0]


def content(store: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(store.iterdir())}


def test_a_store_holds_every_image_under_its_id_in_any_precision(tmp_path: Path) -> None:
    images = draw(tmp_path / "images", 5)
    done = extract(images, tmp_path / "store", "grid", GRID, dtype="float32")
    assert (done.done, done.kept, done.bad) == (5, 0, {})
    store = FeatureStore(tmp_path / "store")
    expected, boxes = make_extractor("grid", GRID)(open_image(images["p003"]), None)
    regions = store.gather(store.rows(["p003"]))
    np.testing.assert_array_equal(regions.features[0], expected)
    np.testing.assert_array_equal(regions.boxes[0], boxes)
    assert store.about["made_by"] == {"extractor": "grid", "options": {**GRID, "size": 16}}
    half = extract(images, tmp_path / "half", "grid", GRID)
    assert half.store.record["dtype"] == "float16"


def test_images_that_cannot_be_used_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    images = draw(tmp_path / "images", 4)
    Path(images["p001"]).write_bytes(Path(images["p001"]).read_bytes()[:60])
    Path(images["p002"]).write_text("no picture")
    done = extract(images, tmp_path / "store", "grid", GRID)
    assert set(done.bad) == {"p001", "p002"}
    assert "p002.png' is in no format that Pillow reads" in done.bad["p002"]
    store = FeatureStore(tmp_path / "store")
    assert [i.decode() for i in store.ids] == ["p000", "p003"]
    assert store.about["left_out"] == done.bad


def test_nothing_but_bad_images_make_no_store(tmp_path: Path) -> None:
    images = draw(tmp_path / "images", 1)
    Path(images["p000"]).write_text("no picture")
    with pytest.raises(DataError, match="none of the 1 images can be used"):
        extract(images, tmp_path / "store", "grid", GRID)
    assert not (tmp_path / "store").exists()
    with pytest.raises(DataError, match="there is no image"):
        extract({}, tmp_path / "store", "grid", GRID)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_and_begun_again_it_loses_nothing_and_does_nothing_twice(tmp_path: Path, workers: int) -> None:
    images = draw(tmp_path / "images", 160, side=300)
    words = [str(tmp_path / "images"), str(tmp_path / "store"), str(workers), "80"]
    process = subprocess.Popen([sys.executable, "-m", "tests.data.run_extraction", *words], cwd=ROOT)
    aside = tmp_path / ".store.extracting"
    until = time.monotonic() + 200
    while not any(file.stat().st_size for file in aside.glob("*.part")) and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.5 if workers > 1 else 0)  # the workers see that they are alone
    kept = sum(len(found) for file in aside.glob("*.part") for found in read_part(file))
    assert 0 < kept < 160
    assert not (tmp_path / "store").exists()
    done = extract(images, tmp_path / "store", "grid", GRID, part_size=80)
    assert (done.kept, done.done) == (kept, 160 - kept)
    extract(images, tmp_path / "at_once", "grid", GRID, part_size=80)
    assert content(tmp_path / "store") == content(tmp_path / "at_once")
    assert not aside.exists()


def test_a_kill_while_the_store_is_put_together_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = draw(tmp_path / "images", 3)
    with monkeypatch.context() as patch:
        patch.setattr(extraction, "_join", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            extract(images, tmp_path / "store", "grid", GRID)
    left_over = tmp_path / ".store.1.partial"
    left_over.mkdir()
    done = extract(images, tmp_path / "store", "grid", GRID)
    assert (done.kept, done.done) == (3, 0)
    assert not left_over.exists()


def test_several_processes_give_the_same_store(tmp_path: Path) -> None:
    images = draw(tmp_path / "images", 7)
    Path(images["p001"]).write_text("no picture")
    extract(images, tmp_path / "one", "grid", GRID, part_size=2)
    done = extract(images, tmp_path / "two", "grid", GRID, part_size=2, workers=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert done.done == 7


@pytest.mark.parametrize(
    ("says", "told"),
    [("print('failed no room left', flush=True)", "no room left"), ("pass", "it ended without a word")],
)
def test_what_a_worker_cannot_do_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, told: str) -> None:
    images = draw(tmp_path / "images", 2)
    monkeypatch.setattr(extraction_workers, "WORKER", ("-c", f"import sys; sys.stdin.readline(); {says}"))
    with pytest.raises(DataError, match=f"a worker process could not go on: {told}"):
        extract(images, tmp_path / "store", "grid", GRID, part_size=1, workers=2)
    assert not (tmp_path / "store").exists()


def test_a_worker_with_another_version_of_the_extractor_does_not_begin() -> None:
    made = make_extractor("grid", GRID)
    work = extraction_part.Work("grid", made.options, {**made.identity.to_json(), "version": "0"}, "float16")
    with pytest.raises(DataError, match=r"the features in this worker were made by grid 2 .* but grid 0"):
        work.make()


@pytest.mark.slow
def test_ray_gives_the_same_store(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="pip install 'chiasm[ray]'")
    images = draw(tmp_path / "images", 7)
    extract(images, tmp_path / "one", "grid", GRID, part_size=2)
    try:
        extract(images, tmp_path / "ray", "grid", GRID, part_size=2, workers=1, ray=True)
    finally:
        ray.shutdown()
    assert content(tmp_path / "one") == content(tmp_path / "ray")


def test_an_interrupted_extraction_with_other_options_is_not_continued(tmp_path: Path) -> None:
    images = draw(tmp_path / "images", 2)
    aside = tmp_path / ".store.extracting"
    aside.mkdir()
    (aside / "plan.json").write_text(json.dumps({"work": {}, "images": "-", "part_size": 256}))
    with pytest.raises(DataError, match="an interrupted extraction for store that differs in work, images"):
        extract(images, tmp_path / "store", "grid", GRID)
    (tmp_path / "there").mkdir()
    with pytest.raises(DataError, match="there exists"):
        extract(images, tmp_path / "there", "grid", GRID)


def test_two_extractions_to_one_place_at_a_time_are_refused(tmp_path: Path) -> None:
    aside = tmp_path / ".store.extracting"
    with (
        extraction._alone(aside),
        pytest.raises(DataError, match="another process is extracting"),
        extraction._alone(aside, patience=0.2),
    ):
        pass


class BySize(Extractor):
    """Counts what it is given; refuses pictures of 7 pixels."""

    name, version, feature_size = "by size", "1", 1  # type: ignore[assignment]
    batch_size = 2

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.calls: list[list[int]] = []

    def batch_key(self, width: int, height: int) -> Any:
        return width, height

    def __call__(self, image: Image.Image, boxes: Any) -> Any:
        raise NotImplementedError

    def extract(self, images: Sequence[Any]) -> list[Extraction]:
        widths = [image.width for image, _ in images]
        self.calls.append(widths)
        if 7 in widths:
            raise DataError("seven is refused")
        return [Extraction(np.full((1, 1), width, np.float32), np.float32([[0, 0, 1, 1]])) for width in widths]


def test_images_of_one_size_are_extracted_together_and_only_the_bad_one_is_lost(tmp_path: Path) -> None:
    values = []
    for place, side in enumerate([5, 7, 5, 9, 7, 5]):
        Image.new("RGB", (side, 4)).save(tmp_path / f"{place}.png")
        values.append(str(tmp_path / f"{place}.png"))
    ours = BySize()
    assert batches(values, ours) == [[0, 2], [5], [1, 4], [3]]
    part = extraction_part.Part(0, values, str(tmp_path / "x.part"))
    found = list(extraction_part.extract_part(part, ours, dtype="float16", done={1}))
    assert ours.calls == [[5, 5], [7, 7], [7], [7], [9]]
    assert {place: str(reason).split(": ")[-1] for one in found for place, reason in one.bad.items()} == {
        1: "seven is refused",
        4: "seven is refused",
    }
    again = extraction_part.unpacked(extraction_part.packed(found[0]))
    assert again.extractions[2].features.tolist() == [[5]]
    assert again.extractions[2].features.dtype == np.float16


def test_records_are_read_up_to_the_first_torn_one(tmp_path: Path) -> None:
    file = tmp_path / "log"
    for text in (b"one", b"", b"three"):
        records.append(file, text)
    whole = file.read_bytes()
    for cut in range(len(whole)):
        file.write_bytes(whole[:cut])
        found = list(records.read(file))
        assert found == [b"one", b"", b"three"][: len(found)]
        assert len(found) < 3
        records.cut_off_rest(file)
        records.append(file, b"new")
        assert list(records.read(file)) == [*found, b"new"]
    file.write_bytes(whole[:-1] + b"X")
    assert list(records.read(file)) == [b"one", b""]


def test_images_are_found_in_folders_archives_and_lists(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    draw(folder, 2)
    (folder / "below").mkdir()
    Image.new("RGB", (2, 2)).save(folder / "below" / "A.JPG", format="jpeg")
    (folder / "notes.md").write_text("")
    images, others = find_images(folder)
    assert (list(images), others) == (["A", "p000", "p001"], 1)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(folder / "p000.png", "deep/p000.png")
    packed, _ = find_images(tmp_path / "all.zip")
    assert open_image(packed["p000"]).size == (12, 12)
    (tmp_path / "list.txt").write_text("images/p001.png\n\nimages/below/A.JPG\n")
    assert list(find_images(tmp_path / "list.txt")[0]) == ["A", "p001"]
    assert list(find_images(folder / "p001.png")[0]) == ["p001"]


def test_places_without_images_and_ids_that_are_not_unique_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        find_images(tmp_path / "none")
    with pytest.raises(DataError, match="holds no image"):
        find_images(tmp_path)
    draw(tmp_path / "a", 1)
    draw(tmp_path / "b", 1)
    with pytest.raises(DataError, match="would have the same id 'p000'"):
        find_images(tmp_path)


def test_the_size_of_a_turned_photo_is_that_of_the_upright_one(tmp_path: Path) -> None:
    image = Image.new("RGB", (6, 4))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert upright_size(tmp_path / "turned.jpg") == open_image(tmp_path / "turned.jpg").size == (4, 6)
    (tmp_path / "x.png").write_text("")
    with pytest.raises(DataError, match="no format that Pillow reads"):
        upright_size(tmp_path / "x.png")
