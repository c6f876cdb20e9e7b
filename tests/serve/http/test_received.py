"""Pictures and rows as they come over HTTP: decoded within limits, from their own bytes only."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chiasm.data.example import DataError, Example, RowError
from chiasm.serve.limits import Limits, Refused
from chiasm.serve.received import picture, received
from chiasm.serve.schemas import PICTURE, Row
from tests.serve.http.asking import encoded
from tests.serve.small import picture as square

LIMITS = Limits(pixels=10_000, images=2, boxes=3, text=50)


def decoded(data: str, limits: Limits = LIMITS) -> Image.Image:
    return picture(data, "image 1", limits, lambda pixels: None)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
def test_pictures_come_through_unchanged(kind: str) -> None:
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(np.asarray(decoded(encoded(square(0), kind, **options))), np.asarray(square(0)))


def test_a_data_address_and_line_breaks_are_taken() -> None:
    data = encoded(square(1))
    broken = "data:image/png;base64," + "\n".join(data[i : i + 60] for i in range(0, len(data), 60))
    assert np.array_equal(np.asarray(decoded(broken)), np.asarray(square(1)))


def test_a_photo_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    assert decoded(encoded(square(0), "JPEG", exif=exif)).size == (48, 64)


def test_the_example_of_openapi_is_a_picture() -> None:
    assert decoded(PICTURE).size == (8, 8)


@pytest.mark.parametrize(
    "data",
    [
        "/etc/passwd",
        "../secret.png",
        "file:///etc/passwd",
        "https://example.org/a.png",
        "a.zip::b.png",
        "data:,hello",
        "%%%",
    ],
)
def test_paths_and_addresses_are_not_read(data: str) -> None:
    with pytest.raises(
        DataError, match=r"image 1 is not base64 of a picture file \(paths and addresses are not read\)"
    ):
        decoded(data)


def test_a_path_that_is_base64_too_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    square(0).save(tmp_path / "abcd", "PNG")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no picture that can be read"):
        decoded("abcd")


def test_nothing_is_no_picture() -> None:
    with pytest.raises(DataError, match="image 1 is empty"):
        decoded("")


@pytest.mark.parametrize(
    "content", [b"hello there, this is text", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"]
)
def test_other_files_are_no_pictures(content: bytes) -> None:
    with pytest.raises(DataError, match="no picture that can be read: PNG, JPEG, WEBP, GIF, BMP are"):
        decoded(base64.b64encode(content).decode())


def test_a_cut_off_picture_is_named() -> None:
    whole = base64.b64decode(encoded(square(0)))
    with pytest.raises(DataError, match="image 1 is damaged"):
        decoded(base64.b64encode(whole[: len(whole) // 2]).decode())


def bomb(width: int, height: int) -> str:
    """A PNG whose header promises so many pixels, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000, 9)
    return base64.b64encode(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    ).decode()


@pytest.mark.parametrize("side", [101, 8_000, 60_000])
def test_too_many_pixels_are_refused_by_the_header_before_decoding(side: int) -> None:
    taken: list[int] = []
    with pytest.raises(DataError, match="10,000 are allowed"):
        picture(bomb(side, side), "image 1", LIMITS, taken.append)
    assert taken == []


def test_pixels_are_taken_from_the_budget_before_decoding() -> None:
    def full(pixels: int) -> None:
        assert pixels == 64 * 48
        raise Refused(503, "full", retry_after=1)

    with pytest.raises(Refused, match="full"):
        picture(encoded(square(0)), "image 1", LIMITS, full)


def arrived(**fields: Any) -> Example | RowError:
    return received(Row(id="r", **fields), LIMITS, lambda pixels: None)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"text": "x" * 51}, "the text has 51 characters; 50 are allowed"),
        ({"images": [PICTURE] * 3}, "3 images; 2 are allowed in one row"),
        ({"image": PICTURE, "boxes": [[0, 0, 1, 1]] * 4}, "4 boxes in one picture; 3 are allowed"),
        ({"image": PICTURE, "images": [PICTURE]}, "both `image` and `images`"),
        ({"images": [PICTURE, "?"]}, "image 2 is not base64"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(fields: dict[str, Any], reason: str) -> None:
    found = arrived(**fields)
    assert isinstance(found, RowError)
    assert reason in found.reason
    assert found.row_id == "r"


def test_a_row_becomes_an_example_of_raw_values() -> None:
    found = arrived(image=PICTURE, text="what?", boxes=[[0, 0, 4, 4]], table={"Age": 3, "Kind": None})
    assert isinstance(found, Example)
    (image,) = found.values["images"]
    assert isinstance(image, Image.Image)
    assert found.values["boxes"] == ([[0, 0, 4, 4]],)
    assert found.values["table"] == {"Age": 3, "Kind": None}
    assert set(found.values) == {"images", "boxes", "text", "table"}
