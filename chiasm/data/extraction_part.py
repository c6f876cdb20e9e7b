"""One part of an extraction: some images of the list, batch after batch, each batch one record in the part's file.

Which images make up a batch depends on the list alone, not on who works or how often it was interrupted: so one
process or many, killed or not, give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chiasm.data import records
from chiasm.data.example import DataError
from chiasm.data.extractors import Extraction, Extractor, ExtractorIdentity, check_areas, make_extractor
from chiasm.data.images import open_image, upright_size

TOGETHER = 32  # images in a record when the extractor takes them one by one


@dataclass(frozen=True)
class Work:
    """What every worker must know: the extractor, and how features are kept."""

    extractor: str
    options: Mapping[str, Any]
    identity: Mapping[str, Any]
    dtype: str
    threads: int = 0  # of each worker; 0: as torch has it

    def make(self) -> Extractor:
        """The extractor. Raises `DataError` when it is not the one that the extraction began with."""
        if self.threads:
            import torch

            torch.set_num_threads(self.threads)
        made = make_extractor(self.extractor, self.options)
        ExtractorIdentity(**self.identity).check(made.identity, where="this worker")
        return made


@dataclass(frozen=True)
class Part:
    """Consecutive images of the list, and the file that their records go to."""

    number: int
    images: Sequence[Any]  # paths or "archive.zip::member"
    file: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Found:
    """What a record holds: what was found in some images of a part, and which could not be used."""

    batch: int
    extractions: Mapping[int, Extraction]  # by the image's place in the part
    bad: Mapping[int, str]  # why an image gave nothing

    def __len__(self) -> int:
        return len(self.extractions) + len(self.bad)


def run_part(part: Part, extractor: Extractor, *, dtype: str) -> Iterator[int]:
    """Extract what the part's file does not hold yet; yields how many images each batch has finished."""
    file = Path(part.file)
    records.cut_off_rest(file)
    done = {found.batch for found in read_part(file)}
    for found in extract_part(part, extractor, dtype=dtype, done=done):
        records.append(file, packed(found))
        yield len(found)


def extract_part(part: Part, extractor: Extractor, *, dtype: str, done: set[int]) -> Iterator[Found]:
    """The batches of a part that are not `done`. The next batch's images are decoded while one is worked on."""
    waiting = [(n, batch) for n, batch in enumerate(batches(part.images, extractor)) if n not in done]
    with ThreadPoolExecutor(2) as pool:

        def begin(place: int) -> list[Any]:
            return [pool.submit(_opened, part.images[i]) for i in waiting[place][1]] if place < len(waiting) else []

        ahead = begin(0)
        for place, (number, batch) in enumerate(waiting):
            opened = [future.result() for future in ahead]
            ahead = begin(place + 1)
            yield _extracted(number, batch, opened, part, extractor, dtype)


def batches(images: Sequence[Any], extractor: Extractor) -> list[list[int]]:
    """Places of images that are extracted together: those of one size, as the extractor resizes them."""
    if extractor.batch_size == 1:
        return [list(range(i, min(i + TOGETHER, len(images)))) for i in range(0, len(images), TOGETHER)]
    groups: dict[Any, list[int]] = {}
    for place, value in enumerate(images):
        try:
            key = extractor.batch_key(*upright_size(value))
        except DataError:
            key = None  # it is told when the image is opened
        groups.setdefault(key, []).append(place)
    size = extractor.batch_size
    return [group[i : i + size] for group in groups.values() for i in range(0, len(group), size)]


def _opened(value: Any) -> Image.Image | str:
    try:
        return open_image(value)
    except DataError as error:
        return str(error)


def _extracted(
    number: int, batch: Sequence[int], opened: Sequence[Image.Image | str], part: Part, extractor: Extractor, dtype: str
) -> Found:
    bad = {place: image for place, image in zip(batch, opened, strict=True) if isinstance(image, str)}
    good = {place: image for place, image in zip(batch, opened, strict=True) if not isinstance(image, str)}
    found: dict[int, Extraction] = {}
    results = extractor.attempt([(image, None) for image in good.values()])
    for place, result in zip(good, results, strict=True):
        if isinstance(result, DataError):
            bad[place] = f"image {str(part.images[place])!r}: {result}"
            continue
        with np.errstate(over="ignore"):  # it is told as an error below
            kept = result.features.astype(dtype)
        try:
            if not np.isfinite(kept).all():
                raise DataError(f"a feature is NaN, infinite or too large for {dtype}")
            check_areas(result.boxes)
            found[place] = replace(result, features=kept)
        except DataError as error:
            bad[place] = f"image {str(part.images[place])!r}: {error}"
    return Found(number, found, bad)


def packed(found: Found) -> bytes:
    """A batch as a record."""
    places = list(found.extractions)
    parts = [found.extractions[place] for place in places]
    about = {"batch": found.batch, "places": places, "counts": [len(p.features) for p in parts], "bad": found.bad}
    arrays: dict[str, NDArray[Any]] = {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
    for name in ("features", "boxes", "labels", "confidences"):
        values = [getattr(p, name) for p in parts]
        if values and values[0] is not None:
            arrays[name] = np.concatenate(values)
    return records.pack(arrays)


def unpacked(content: bytes) -> Found:
    """What `packed` was given."""
    arrays = records.unpack(content)
    about = json.loads(arrays.pop("about").tobytes())
    ends = np.cumsum(about["counts"])[:-1]
    split = {name: np.split(array, ends) for name, array in arrays.items()}
    extractions = {
        place: Extraction(**{name: values[i] for name, values in split.items()})
        for i, place in enumerate(about["places"])
    }
    return Found(about["batch"], extractions, {int(place): reason for place, reason in about["bad"].items()})


def read_part(file: Path) -> Iterator[Found]:
    """The batches that a part's file holds."""
    return map(unpacked, records.read(file))
