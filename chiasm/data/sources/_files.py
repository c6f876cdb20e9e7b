"""What sources share: reading JSON with clear errors, and finding images by name."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chiasm.data.distinct import MEMBER
from chiasm.data.example import DataError

IMAGE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


def first_file(folder: Path, names: Iterable[str], *, wanted: str) -> Path:
    """The first of the named files that exists below `folder`. Raises `DataError` with what was `wanted`."""
    tried = list(names)
    for name in tried:
        if (folder / name).is_file():
            return folder / name
    there = ", ".join(sorted(p.name for p in folder.iterdir())[:12]) if folder.is_dir() else "no such folder"
    raise DataError(f"{folder}: found no {wanted}. Looked for {', '.join(tried)}. The folder holds: {there}")


def read_json(file: Path) -> Any:
    """The content of a JSON file. Raises `DataError` naming file and line when it is damaged."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also of a number with too many digits, or too deep
        raise DataError(f"{file} is no valid JSON ({error})") from error


def read_json_lines(file: Path) -> list[tuple[int, Any]]:
    """(line number, value) of each line that is not blank. Raises `DataError` naming the first damaged line."""
    found = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    found.append((number, json.loads(line)))
                except (ValueError, RecursionError) as error:
                    raise DataError(f"{file}, line {number} is no valid JSON ({error})") from error
    return found


class ImageFinder:
    """Image values by file name, among the given folders and zip archives below a data set's folder.

    Nothing is opened but directories. A name that is not found gets the path where it was expected first, so that
    features of a store can be used without the images, and an extractor says which file is missing.
    """

    def __init__(self, folder: Path, places: Sequence[str]) -> None:
        self.expected = folder / places[0]
        self._found: dict[str, str] = {}
        for place in places:
            for name, value in _listing(folder / place):
                self._found.setdefault(name, value)

    def find(self, *names: str) -> str:
        """The image called by the first of `names` (with or without ending) that is there."""
        for name in names:
            if name in self._found:
                return self._found[name]
        return str(self.expected / names[0])

    def __contains__(self, name: str) -> bool:
        return name in self._found


def _listing(place: Path) -> list[tuple[str, str]]:
    """Image names, with and without ending, and values in one folder or zip archive; none when it is not there."""
    if place.is_dir():
        files = [(entry.name, str(entry)) for entry in place.iterdir()]
    elif place.suffix == ".zip" and place.is_file():
        with zipfile.ZipFile(place) as archive:
            files = [(Path(n).name, f"{place}{MEMBER}{n}") for n in archive.namelist()]
    else:
        return []
    images = [(Path(name), value) for name, value in files if Path(name).suffix.lower() in IMAGE_ENDINGS]
    return [(key, value) for name, value in images for key in (name.name, name.stem)]
