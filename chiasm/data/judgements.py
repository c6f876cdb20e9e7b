"""People's judgements of captions: Flickr8k's, by three experts and by a crowd (Hodosh, Young and Hockenmaier 2013).

A folder holds `Flickr8k.token.txt` (five captions each of 8,092 images), `ExpertAnnotations.txt` (three grades from 1,
unrelated, to 4, describes the image) and `CrowdFlowerAnnotations.txt` (the share of people who say that it fits).
Judged captions were written for the same or for another image.

References follow the papers that compare such judgements with measures (Anderson et al. 2016; Hessel et al. 2021,
appendix A): for the crowd's, an image's own captions that are judged are none of its references; for the experts' all
five are, and judgements of an image's own captions (`own`) are to be left out of a comparison with measures.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from chiasm.data.example import DataError, RowError, raise_rows

CAPTIONS, EXPERTS, CROWD = "Flickr8k.token.txt", "ExpertAnnotations.txt", "CrowdFlowerAnnotations.txt"
KINDS = ("experts", "crowd")


@dataclass(frozen=True)
class Judged:
    """One caption judged as a description of an image."""

    image: str
    caption: str
    references: tuple[str, ...]  # of the image
    grades: tuple[float, ...]  # experts: three from 1 to 4; crowd: one share from 0 to 1
    own: bool  # whether the caption was written for this image


def read_captions(folder: Path) -> dict[str, list[str]]:
    """Image name -> its captions in order. Raises `DataError`, naming the line where one is damaged."""
    captions: dict[str, list[str]] = defaultdict(list)
    for key, (text,) in _rows(folder / CAPTIONS, 1):
        # One line of the published file names its image "2258277193_586949ec62.jpg.1".
        captions[key.split("#")[0].removesuffix(".1")].append(text)
    return dict(captions)


def read_judgements(folder: Path, kind: str) -> list[Judged]:
    """The judgements of the "experts" or of the "crowd", in the order of the file.

    Raises `DataError` for a file that is missing or damaged, and ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown judgements {kind!r}; expected experts or crowd")
    captions = read_captions(folder)
    file = folder / (EXPERTS if kind == "experts" else CROWD)
    rows = list(_rows(file, 4))
    for image, (key, *_) in rows:
        name, _, place = key.partition("#")
        if image not in captions or not place.isdigit() or int(place) >= len(captions.get(name, ())):
            raise DataError(f"{file} judges caption {key} of image {image}, which {CAPTIONS} does not hold")
    judged = []
    used = _judged_of_own(rows, captions) if kind == "crowd" else {}
    for image, (key, *numbers) in rows:
        caption, own = _caption(captions, key), captions[image]
        references = tuple(text for text in own if text not in used.get(image, ()))
        grades = tuple(map(float, numbers)) if kind == "experts" else (float(numbers[0]),)
        judged.append(Judged(image, caption, references, grades, caption in own))
    return judged


def _judged_of_own(rows: list[tuple[str, list[str]]], captions: dict[str, list[str]]) -> dict[str, set[str]]:
    """Image -> those of its own captions that are judged."""
    found: dict[str, set[str]] = defaultdict(set)
    for image, (key, *_) in rows:
        if _caption(captions, key) in captions[image]:
            found[image].add(_caption(captions, key))
    return found


def _caption(captions: dict[str, list[str]], key: str) -> str:
    name, _, place = key.partition("#")
    return captions[name][int(place)]


def _rows(file: Path, columns: int) -> list[tuple[str, list[str]]]:
    """The first field of each line and the `columns` others; numbers are checked."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror})") from error
    found, errors = [], list[RowError]()
    for number, line in enumerate(lines, start=1):
        first, *others = line.split("\t")
        if len(others) != columns or not all(_is_number(text) for text in others[1:]):
            errors.append(RowError(f"expected {columns + 1} fields, got {line!r}", origin=f"{file}, line {number}"))
        found.append((first, others))
    raise_rows(errors)
    return found


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).strip().isdigit()
