"""Images of every kind become upright RGB, and broken ones are named."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from chiasm.data.distinct import DistinctImages, hash_of_images, image_key, image_stem
from chiasm.data.example import BadRows, DataError, Example, RowError
from chiasm.data.images import Preprocess, open_image

RED = (250, 10, 20)


def png(image: Image.Image, **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG", **options)
    return data.getvalue()


def solid(mode: str, colour: Any, size: tuple[int, int] = (8, 6)) -> Image.Image:
    return Image.new(mode, size, colour)


def example(row: str, *images: Any) -> Example:
    return Example(row, {"images": images}, origin=f"rows.csv, line {row}")


def pixel(value: Any) -> tuple[int, ...]:
    image = open_image(value)
    assert image.mode == "RGB"
    got = image.getpixel((1, 1))
    assert isinstance(got, tuple)
    return got


def test_a_path_bytes_an_array_and_a_pillow_image_are_the_same_picture(tmp_path: Path) -> None:
    image = solid("RGB", RED)
    image.save(tmp_path / "a.png")
    for value in (tmp_path / "a.png", str(tmp_path / "a.png"), png(image), image, np.asarray(image)):
        assert pixel(value) == RED


def test_an_image_inside_an_archive_is_opened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("deep/a.png", png(solid("RGB", RED)))
    assert pixel(f"{tmp_path}/all.zip::deep/a.png") == RED


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (solid("L", 100), (100, 100, 100)),
        (solid("1", 1), (255, 255, 255)),
        (solid("RGBA", (250, 10, 20, 255)), RED),
        (solid("RGBA", (0, 0, 0, 0)), (255, 255, 255)),
        (solid("LA", (0, 0)), (255, 255, 255)),
        (solid("I;16", 100 * 257), (100, 100, 100)),
        (solid("I", 100 * 257), (100, 100, 100)),
        (solid("F", 0.5), (128, 128, 128)),
        (solid("CMYK", (0, 255, 255, 0)), (255, 0, 0)),
        (solid("RGB", RED).convert("P", palette=Image.Palette.ADAPTIVE), RED),
    ],
    ids=["gray", "bits", "opaque", "transparent", "gray-alpha", "16-bit", "32-bit", "float", "cmyk", "palette"],
)
def test_every_mode_becomes_rgb_on_white(image: Image.Image, expected: tuple[int, ...]) -> None:
    assert pixel(image) == pytest.approx(expected, abs=1)


def test_a_half_transparent_pixel_is_mixed_with_white() -> None:
    assert pixel(solid("RGBA", (0, 0, 0, 128))) == pytest.approx((127, 127, 127), abs=1)


def test_a_transparent_palette_colour_is_white() -> None:
    image = solid("P", 0)
    image.putpalette([0, 0, 0, 255, 255, 255])
    assert pixel(png(image, transparency=0)) == (255, 255, 255)


def test_16_bit_png_files_keep_their_brightness() -> None:
    assert pixel(png(solid("I;16", 30 * 257))) == (30, 30, 30)


def test_a_photo_taken_sideways_is_turned_upright() -> None:
    image = Image.new("RGB", (8, 4), "white")
    image.paste(RED, (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the left side is the top
    data = io.BytesIO()
    image.save(data, "PNG", exif=exif)
    upright = open_image(data.getvalue())
    assert upright.size == (4, 8)
    assert upright.getpixel((1, 1)) == RED
    assert upright.getpixel((1, 6)) == (255, 255, 255)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    for ending in ("png", "jpg"):
        whole, cut = tmp_path / f"whole.{ending}", tmp_path / f"cut.{ending}"
        noise.save(whole)
        cut.write_bytes(whole.read_bytes()[:-800])
        with pytest.raises(DataError, match=rf"cut\.{ending}' is damaged .* again"):
            open_image(cut)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.png", None, r"none\.png' is not there"),
        ("text.png", b"this is no picture", r"text\.png' is in no format that Pillow reads"),
        ("empty.png", b"", r"empty\.png' is in no format"),
    ],
)
def test_a_missing_or_foreign_file_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_image(tmp_path / name)


def test_a_folder_a_broken_archive_and_a_missing_member_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.png", png(solid("RGB", RED)))
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="is a folder"):
        open_image(tmp_path)
    with pytest.raises(DataError, match=r"broken\.zip::a\.png' is damaged"):
        open_image(f"{tmp_path}/broken.zip::a.png")
    with pytest.raises(DataError, match=r"all\.zip::b\.png' is not there"):
        open_image(f"{tmp_path}/all.zip::b.png")


@pytest.mark.parametrize("damage", ["content", "password", "method"])
def test_a_damaged_or_foreign_member_of_an_archive_is_named(tmp_path: Path, damage: str) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(range(256)) * 8)
    content = bytearray((tmp_path / "all.zip").read_bytes())
    entry = content.find(b"PK\x01\x02")  # of the directory; what stands before the member says the same
    if damage == "content":
        content[60:90] = b"\xff" * 30
    elif damage == "password":
        content[6] |= 1
        content[entry + 8] |= 1
    else:
        content[8] = content[entry + 10] = 99
    (tmp_path / "all.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"all\.zip::a\.png' (is damaged|cannot be read)"):
        open_image(f"{tmp_path}/all.zip::a.png")


@pytest.mark.parametrize("image", [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 0), np.uint8), Image.new("RGB", (0, 0))])
def test_an_image_without_a_pixel_names_its_row(image: Any) -> None:
    with pytest.raises(RowError, match=r"row 2: image given as .* x .* pixels: nothing can be seen"):
        Preprocess(size=2).encode([example("1", solid("RGB", RED)), example("2", image)])


def huge_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 50_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow only warns at the first size
        with pytest.raises(DataError, match="more than 89,478,485 pixels"):
            open_image(huge_png(side, side))


def test_an_array_of_floats_or_of_odd_shape_is_refused() -> None:
    with pytest.raises(DataError, match="uint8"):
        open_image(np.zeros((4, 4, 3), dtype=np.float32))
    with pytest.raises(DataError, match="shape"):
        open_image(np.zeros((4, 4, 2), dtype=np.uint8))


def test_images_are_told_apart_by_path_or_content() -> None:
    assert image_key("a.png") != image_key("b.png")
    assert image_key(solid("RGB", RED)) == image_key(solid("RGB", RED))
    assert image_key(solid("RGB", RED)) != image_key(solid("RGB", "blue"))
    assert image_key(np.zeros((2, 4), np.uint8)) != image_key(np.zeros((4, 2), np.uint8))
    assert image_stem("x/all.zip::deep/COCO_1.jpg") == "COCO_1"
    assert image_stem(b"123") is None
    with pytest.raises(DataError, match="is no image"):
        image_key(7)


def test_images_that_look_different_are_told_apart_though_their_pixels_are_equal() -> None:
    red, blue, clear, turned = (solid("P", 0) for _ in range(4))
    red.putpalette([255, 0, 0])
    blue.putpalette([0, 0, 255])
    clear.putpalette([255, 0, 0])
    clear.info["transparency"] = 0
    turned.putpalette([255, 0, 0])
    turned.getexif()[0x0112] = 6
    assert len({image_key(image) for image in (red, blue, clear, turned)}) == 4
    assert image_key(red) == image_key(red.copy())
    assert len(DistinctImages([example("1", red), example("2", blue)]).values) == 2


def test_a_truncated_image_that_was_opened_already_is_a_bad_row() -> None:
    cut = Image.open(io.BytesIO(png(Image.effect_noise((64, 64), 50))[:-900]))
    with pytest.raises(RowError, match="row 1: image given as PngImageFile is damaged"):
        DistinctImages([example("1", cut)])


def test_the_hash_of_images_changes_with_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(solid("RGB", RED)))
    before = hash_of_images([file])
    assert hash_of_images([file]) == before
    file.write_bytes(png(solid("RGB", "blue", (9, 9))))
    assert hash_of_images([file]) != before


def test_distinct_images_are_kept_once() -> None:
    distinct = DistinctImages([example("1", "a", "b"), example("2", "b", "a"), example("3", "c", "a")])
    assert [value for value, _ in distinct.values] == ["a", "b", "c"]
    assert distinct.index.tolist() == [[0, 1], [1, 0], [2, 0]]


def test_rows_with_another_number_of_images_are_named() -> None:
    with pytest.raises(RowError, match=r"row 2: 1 images, but the rows before have 2"):
        DistinctImages([example("1", "a", "b"), example("2", "b")])


@pytest.mark.parametrize("images", [(), ("",), (None,), "a.png"])
def test_a_row_without_an_image_is_named(images: Any) -> None:
    with pytest.raises(RowError, match="row 9: the row has no image"):
        DistinctImages([Example("9", {"images": images})])


def test_pixels_are_resized_and_normalised_and_each_image_is_held_once() -> None:
    white, black = solid("RGB", "white", (10, 20)), solid("RGB", "black", (30, 10))
    column = Preprocess(size=4).encode([example("1", white), example("2", black), example("3", white)])
    images = column.gather(torch.tensor([0, 2, 1]))
    assert images.pixel_values.shape == (2, 3, 4, 4)
    assert images.index is not None
    shown = images.pixel_values[images.index[:, 0]]
    assert shown[0].unique().tolist() == [pytest.approx(1.0)]
    assert torch.equal(shown[0], shown[1])
    assert shown[2].unique().tolist() == [pytest.approx(-1.0)]


def test_without_repeats_row_b_is_example_b() -> None:
    white, black = solid("RGB", "white"), solid("RGB", "black")
    images = Preprocess(size=2).encode([example("1", white), example("2", black)]).gather(torch.tensor([1, 0]))
    assert images.index is None
    assert images.pixel_values[0].mean() < 0 < images.pixel_values[1].mean()


def test_mean_and_deviation_are_per_colour() -> None:
    column = Preprocess(size=1, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25)).encode(
        [example("1", solid("RGB", "white"))]
    )
    values = column.gather(torch.tensor([0])).pixel_values.flatten().tolist()
    assert values == pytest.approx([1.0, 1.0, 0.0], abs=1e-6)


def test_keeping_the_shape_cuts_out_the_middle() -> None:
    image = Image.new("RGB", (30, 10), "black")
    image.paste((255, 255, 255), (10, 0, 20, 10))
    stretched, middle = Preprocess(size=10), Preprocess(size=10, keep_shape=True)
    assert np.asarray(middle.resize(image)).min() == 255
    assert np.asarray(stretched.resize(image)).min() == 0


def test_every_row_of_a_broken_image_is_named() -> None:
    rows = [example("1", "gone.png"), example("2", solid("RGB", RED)), example("3", "gone.png")]
    with pytest.raises(BadRows, match=r"rows.csv, line 3, row 3: image 'gone.png' is not there"):
        Preprocess(size=2).encode(rows)


def test_saved_and_loaded_it_gives_the_same_pixels(tmp_path: Path) -> None:
    ours = Preprocess(size=3, mean=(0.4, 0.5, 0.6), keep_shape=True)
    ours.save(tmp_path)
    again = Preprocess.load(tmp_path)
    assert again.options == ours.options
    assert again.facts == {"image_size": 3}


@pytest.mark.parametrize("options", [{"size": 0}, {"std": (0.0, 1.0, 1.0)}, {"mean": (0.5,)}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"size|std"):
        Preprocess(**options)
