"""Regions: each image once, whoever asks; extracted, cached, or looked up."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from chiasm.data.example import BadRows, DataError, Example, RowError
from chiasm.data.extractors import Extractor, ExtractorIdentity
from chiasm.data.features import FeatureStore
from chiasm.data.regions import Preprocess
from chiasm.data.store_writer import StoreWriter

BOXES = [[0, 0, 10, 10], [10, 0, 20, 10], [0, 0, 20, 20]]


def picture(colour: str) -> Image.Image:
    return Image.new("RGB", (20, 20), colour)


def example(row: str, *images: Any, boxes: Iterable[Any] | None = None) -> Example:
    values: dict[str, Any] = {"images": images}
    if boxes is not None:
        values["boxes"] = tuple(boxes)
    return Example(row, values, origin=f"rows.csv, line {row}")


def preprocess(**options: Any) -> Preprocess:
    return Preprocess(extractor_options={"size": 1}, **options)


def per_example(regions: Any) -> Tensor:
    """(B, S, R, F): the features of each example's images."""
    index = regions.index if regions.index is not None else torch.arange(len(regions.features))[:, None]
    return regions.features[index]


@pytest.fixture
def questions() -> list[Example]:
    """Three questions about two images."""
    red, blue = picture("red"), picture("blue")
    return [
        example("1", red, boxes=[BOXES[:2]]),
        example("2", blue, boxes=[BOXES]),
        example("3", red, boxes=[BOXES[:2]]),
    ]


def test_an_image_with_two_questions_is_held_once_in_a_batch(questions: list[Example]) -> None:
    regions = preprocess().encode(questions).gather(torch.tensor([0, 2, 1, 0]))
    assert regions.features.shape == (2, 3, 3)
    assert regions.index is not None
    assert regions.index.shape == (4, 1)
    first, again, other, _ = per_example(regions)
    assert torch.equal(first, again)
    assert first[0, 0].tolist() == [1.0, -1.0, -1.0]
    assert other[0, 0].tolist() == [-1.0, -1.0, 1.0]


def test_without_repeats_row_b_is_example_b(questions: list[Example]) -> None:
    regions = preprocess().encode(questions).gather(torch.tensor([1, 0]))
    assert regions.index is None
    assert regions.features[0, 0].tolist() == [-1.0, -1.0, 1.0]
    assert regions.attention_mask is not None
    assert regions.attention_mask.tolist() == [[True] * 3, [True, True, False]]


def test_boxes_are_divided_by_width_and_height(questions: list[Example]) -> None:
    regions = preprocess().encode(questions).gather(torch.tensor([1]))
    assert torch.allclose(regions.boxes[0], torch.tensor(BOXES) / 20)


def test_two_images_of_an_example_are_two_places_of_the_index() -> None:
    red, blue = picture("red"), picture("blue")
    rows = [example("1", red, blue), example("2", blue, red), example("3", red, red)]
    regions = preprocess().encode(rows).gather(torch.arange(3))
    assert regions.features.shape[0] == 2
    colours = per_example(regions)[:, :, 0, 0].tolist()  # how red
    assert colours == [[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]]


def test_the_same_image_with_other_boxes_is_another_row(questions: list[Example]) -> None:
    rows = [*questions, example("4", picture("red"), boxes=[BOXES])]
    column = preprocess().encode(rows)
    assert column.index.max() == 2


def test_further_regions_than_the_limit_are_left_out(questions: list[Example]) -> None:
    regions = preprocess(max_regions=2).encode(questions).gather(torch.tensor([0, 1]))
    assert regions.features.shape == (2, 2, 3)
    assert regions.attention_mask is None


def test_half_precision_in_memory_is_given_as_float32(questions: list[Example]) -> None:
    column = preprocess(dtype="float16").encode(questions)
    assert column.source.features.dtype == torch.float16
    assert column.gather(torch.tensor([0])).features.dtype == torch.float32


def test_threads_do_not_change_order_or_values() -> None:
    random = np.random.default_rng(0)
    rows = [example(str(i), random.integers(0, 255, (9, 9, 3), dtype=np.uint8)) for i in range(600)]
    one, many = (Preprocess(extractor="grid", workers=n).encode(rows).source for n in (1, 4))
    assert torch.equal(one.features, many.features)


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[0, 0, 30, 10]], r"box 1, .* is outside the image of 20 x 20"),
        ([[5, 5, 5, 10]], r"box 1, .* has no area"),
        ("abc", r"boxes are lists of four numbers"),
    ],
)
def test_a_bad_box_names_row_and_image(boxes: Any, message: str) -> None:
    rows = [example("1", picture("red")), example("2", picture("blue"), boxes=[boxes])]
    with pytest.raises(RowError, match=rf"rows\.csv, line 2, row 2: .*{message}"):
        preprocess().encode(rows)


@pytest.mark.parametrize("boxes", [[10, 20, 30, 40], 5, [None], [[[1, 2, 3, 4]]], [[1, 2, 3]], [["a", 2, 3, 4]], "abc"])
def test_what_is_no_list_of_boxes_is_a_bad_row_that_can_be_left_out(boxes: Any, tmp_path: Path) -> None:
    rows = [example("1", picture("red")), example("2", picture("blue"), boxes=[boxes])]
    for made in (preprocess(), preprocess(cache=str(tmp_path / "cache"))):
        with pytest.raises(RowError, match=r"line 2, row 2: boxes are lists of four numbers x1, y1, x2, y2"):
            made.encode(rows)


def test_boxes_that_are_not_one_list_for_each_image_are_a_bad_row() -> None:
    row = Example("1", {"images": (picture("red"),), "boxes": 5})
    with pytest.raises(RowError, match="boxes are 5, but the row has 1 image"):
        preprocess().encode([row])


def test_boxes_in_an_array_are_those_in_lists() -> None:
    red = picture("red")
    column = preprocess().encode([example("1", red, boxes=[np.array(BOXES)]), example("2", red, boxes=[BOXES])])
    assert column.index.tolist() == [[0], [0]]


class Gives(Extractor):
    """Features that are the number of the red channel; NaN for black images."""

    name, version, feature_size = "gives", "1", 1  # type: ignore[assignment]

    def __init__(self, batch_size: int) -> None:
        self.options, self.batch_size = {}, batch_size

    def __call__(self, image: Image.Image, boxes: Any) -> Any:
        red = float(np.asarray(image)[0, 0, 0])
        return np.array([[red or math.nan]], np.float32), np.array([[0, 0, 1, 1]], np.float32)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_features_that_are_no_numbers_name_row_and_image(batch_size: int, tmp_path: Path) -> None:
    for name, colour in (("a", "red"), ("b", "black"), ("c", "red")):
        picture(colour).save(tmp_path / f"{name}.png")
    rows = [example(str(i), str(tmp_path / f"{name}.png")) for i, name in enumerate("abc")]
    made = Preprocess()
    made._identity = Gives(batch_size).identity
    made.use_extractor(Gives(batch_size))
    with pytest.raises(RowError, match=r"line 1, row 1: image '.*b\.png'.* gave NaN or infinite features"):
        made.encode(rows)
    assert made.encode([rows[0], rows[2]]).source.features.tolist() == [[255.0], [255.0]]


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_batched_extractors_error_names_the_image(batch_size: int) -> None:
    class Refuses(Gives):
        def __call__(self, image: Image.Image, boxes: Any) -> Any:
            raise DataError("nothing is found")

    made = Preprocess()
    made._identity = Refuses(batch_size).identity
    made.use_extractor(Refuses(batch_size))
    with pytest.raises(RowError, match="image given as Image: nothing is found"):
        made.encode([example("1", picture("red"))])


def test_every_bad_image_is_named_in_one_pass(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    rows = [
        example("1", str(tmp_path / "broken.png")),
        example("2", picture("red")),
        example("3", str(tmp_path / "gone.png")),
    ]
    with pytest.raises(BadRows) as caught:
        preprocess().encode(rows)
    assert [error.row_id for error in caught.value.rows] == ["1", "3"]
    assert "is in no format" in str(caught.value)
    assert "is not there" in str(caught.value)


def test_the_cache_is_used_until_an_image_changes(tmp_path: Path) -> None:
    for name, colour in (("a", "red"), ("b", "blue")):
        picture(colour).save(tmp_path / f"{name}.png")
    rows = [example("1", str(tmp_path / "b.png")), example("2", str(tmp_path / "a.png"))]
    cache = tmp_path / "cache"

    def red(**options: Any) -> list[float]:
        column = preprocess(cache=str(cache), **options).encode(rows)
        assert isinstance(column.source, FeatureStore)
        return column.gather(torch.arange(2)).features[:, 0, 0].tolist()

    assert red() == [-1.0, 1.0]
    (first,) = cache.iterdir()
    written = first.stat().st_mtime_ns
    assert red() == [-1.0, 1.0]
    assert [(f, f.stat().st_mtime_ns) for f in cache.iterdir()] == [(first, written)]
    red(dtype="float16")
    assert len(list(cache.iterdir())) == 2
    Image.new("RGB", (24, 24), "red").save(tmp_path / "b.png")
    assert red() == [1.0, 1.0]


def test_a_failed_extraction_leaves_no_cache(tmp_path: Path) -> None:
    rows = [example("1", picture("red")), example("2", str(tmp_path / "gone.png"))]
    with pytest.raises(RowError):
        preprocess(cache=str(tmp_path / "cache")).encode(rows)
    assert list((tmp_path / "cache").iterdir()) == []


BUTD = ExtractorIdentity("butd", "1.0", "abc", feature_size=4)


def store(folder: Path, identity: ExtractorIdentity = BUTD, names: Iterable[str] = ("n1", "n2")) -> Path:
    with StoreWriter(folder, identity) as writer:
        for i, name in enumerate(names):
            writer.append(name, np.full((3, 4), i), [[0, 0, 1, 1]] * 3)
    return folder


def test_a_store_is_looked_up_by_file_name_and_needs_no_images(tmp_path: Path) -> None:
    ours = Preprocess(store=str(store(tmp_path / "store")))
    rows = [example("1", "images/n2.jpg"), example("2", "all.zip::deep/n1.png"), example("3", "images/n2.jpg")]
    regions = ours.encode(rows).gather(torch.arange(3))
    assert per_example(regions)[:, 0, 0, 0].tolist() == [1.0, 0.0, 1.0]
    assert ours.facts == {"feature_size": 4}


def test_every_row_whose_image_is_not_in_the_store_is_named(tmp_path: Path) -> None:
    ours = Preprocess(store=str(store(tmp_path / "store")))
    rows = [example("1", "n2.jpg"), example("2", "n9.jpg"), example("3", b"bytes"), example("4", "n9.jpg")]
    with pytest.raises(BadRows, match=r"image 'n9.jpg' \(id 'n9'\) is not in the feature store") as caught:
        ours.encode(rows)
    assert sorted(error.row_id for error in caught.value.rows) == ["2", "3", "4"]


def test_a_model_trained_on_a_store_takes_another_store_of_the_same_extractor_only(tmp_path: Path) -> None:
    Preprocess(store=str(store(tmp_path / "one"))).save(tmp_path)
    again = Preprocess.load(tmp_path)
    assert again.facts == {"feature_size": 4}
    with pytest.raises(DataError, match=r"trained on features made by butd 1\.0"):
        again.encode([example("1", "n1.jpg")])
    with pytest.raises(DataError, match=r"made by vinvl 1\.0 .* but butd 1\.0"):
        again.use_store(store(tmp_path / "other", ExtractorIdentity("vinvl", "1.0", "abc", feature_size=4)))
    again.use_store(store(tmp_path / "two", names=["n1", "n7"]))
    assert again.encode([example("1", "n7.jpg")]).gather(torch.tensor([0])).features[0, 0, 0] == 1.0


def test_saved_and_loaded_it_extracts_the_same_and_keeps_no_folder(tmp_path: Path, questions: list[Example]) -> None:
    ours = preprocess(cache=str(tmp_path / "cache"))
    ours.save(tmp_path)
    assert str(tmp_path) not in (tmp_path / "preprocess.json").read_text()
    again = Preprocess.load(tmp_path)
    assert again.identity == ours.identity
    every = torch.arange(3)
    assert torch.equal(again.encode(questions).gather(every).features, ours.encode(questions).gather(every).features)


def test_a_bundle_made_by_another_version_of_the_extractor_is_refused(tmp_path: Path) -> None:
    preprocess().save(tmp_path)
    file = tmp_path / "preprocess.json"
    file.write_text(file.read_text().replace('"version": "2"', '"version": "0"'))
    with pytest.raises(DataError, match=r"made by pixels 2 .* but pixels 0 .* is expected"):
        Preprocess.load(tmp_path)


@pytest.mark.parametrize("options", [{"dtype": "float64"}, {"max_regions": 0}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is|known"):
        Preprocess(**options)
