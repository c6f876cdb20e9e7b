"""The pictures in a folder, an archive or a list, by the ids under which a feature store keeps them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

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
