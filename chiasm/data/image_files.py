"""The pictures in a folder, an archive or a list, by the ids under which a feature store keeps them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from chiasm.data.distinct import MEMBER, image_stem
from chiasm.data.example import DataError
from chiasm.data.sources._files import IMAGE_ENDINGS


def find_images(place: Path) -> tuple[dict[str, str], int]:
    """The images at a place, sorted by id, and how many other files are there.

    A place is a folder (with the folders below it), a zip archive, one image, or a text file (.txt) with a path on each
    line, relative to that file. An image's id is its file name without the ending, as the official sets name theirs.
    Raises `DataError`: nothing there, or two images with one id.
    """
    if not place.exists():
        raise DataError(f"{place} does not exist")
    found: dict[str, str] = {}
    others = 0
    for value in _values(place):
        if Path(value.rpartition(MEMBER)[2]).suffix.lower() not in IMAGE_ENDINGS:
            others += 1
            continue
        name = image_stem(value) or ""
        if name in found:
            raise DataError(f"{found[name]} and {value} would have the same id {name!r}: rename one of them")
        found[name] = value
    if not found:
        raise DataError(f"{place} holds no image ({', '.join(sorted(IMAGE_ENDINGS))})")
    return dict(sorted(found.items())), others


def shared_ids(values: Sequence[Any]) -> dict[int, str]:
    """By its place: why an image cannot be looked up by its id, which another of the values has with another content.

    Files that are not there are not compared: a feature store needs none, and the official sets, whose pictures may be
    named in several folders, give each an id of its own.
    """

    @cache
    def members(archive: str) -> Mapping[str, tuple[int, int]]:
        with zipfile.ZipFile(archive) as opened:
            return {info.filename: (info.file_size, info.CRC) for info in opened.infolist()}

    def content(value: str) -> tuple[int, int] | None:
        """Size and CRC-32; None for what is not there."""
        archive, _, member = value.partition(MEMBER)
        try:
            if member:
                return members(archive)[member]
            whole = Path(archive).read_bytes()
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        return len(whole), zlib.crc32(whole)

    first: dict[str, str] = {}
    found: dict[int, str] = {}
    for place, value in enumerate(values):
        if (stem := image_stem(value)) is None:
            continue
        before, here = first.setdefault(stem, str(value)), str(value)
        if before == here or Path(before).resolve() == Path(here).resolve():
            continue
        one, other = content(before), content(here)
        if one is not None and other is not None and one != other:
            found[place] = (
                f"image {here!r} is another file than {before!r} but has the same id {stem!r}, by which feature stores "
                "know images: rename one of them, here and in the store"
            )
    return found


def _values(place: Path) -> Iterator[str]:
    """Every file, image or not."""
    if place.is_dir():
        hidden = (
            path for path in place.rglob("*") if not any(p.startswith(".") for p in path.relative_to(place).parts)
        )
        yield from (str(path) for path in hidden if path.is_file())
    elif place.suffix.lower() == ".zip":
        with zipfile.ZipFile(place) as archive:
            yield from (f"{place}{MEMBER}{name}" for name in archive.namelist() if not name.endswith("/"))
    elif place.suffix.lower() == ".txt":
        lines = (line.strip() for line in place.read_text(encoding="utf-8").splitlines())
        yield from (str(place.parent / line) for line in lines if line)
    else:
        yield str(place)
