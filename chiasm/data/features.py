"""The feature store: regions of any number of images in one folder, memory-mapped, with their extractor's identity.

    store.json        format version, extractor, dtype, sizes
    features.npy      (all regions, F) float32 or float16       boxes.npy    (all regions, 4) float32 in [0, 1]
    offsets.npy       (I + 1,) int64: where each image begins   ids.npy      (I,) image ids, sorted, fixed-width bytes
    rows.npy          (I,) int64: the row of each sorted id     optional, (all regions,): labels.npy, confidences.npy,
                                                                attributes.npy, attribute_confidences.npy

Opening reads `store.json` and nothing else; what is touched later is the operating system's page cache, which is
shared by all processes. A store is finished or absent: it is written aside and renamed.
"""

from __future__ import annotations

import json
import mmap
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chiasm.batch import Regions
from chiasm.data.example import DataError
from chiasm.data.extractors import ExtractorIdentity
from chiasm.data.flat_regions import FlatRegions

FORMAT = 1
DTYPES = {"float32": torch.float32, "float16": torch.float16}
HEADER_BYTES = 128  # every .npy header here is padded to this, so that it can be rewritten with the final shape
ARRAYS = ("features.npy", "boxes.npy", "offsets.npy", "ids.npy", "rows.npy")  # which every store has
RECORDED = {
    "extractor": dict, "dtype": str, "images": int, "regions": int, "regions_per_image": int | None,
    "checked_finite": bool, "files": dict
}  # fmt: skip
RESIDENT_BYTES = 512 * 2**20  # how much of the features may stay mapped in before it is given back


class FeatureStore:
    """A finished store, read lazily. It may be pickled: only its place travels, so workers share the pages.

    Raises `DataError` when the folder holds no store, a damaged one, or one of another extractor than `expected`.
    """

    def __init__(self, folder: Path | str, *, expected: ExtractorIdentity | None = None) -> None:
        self.folder = Path(folder)
        self.record = _read_record(self.folder)
        self.identity = _identity(self.record, self.folder)
        if expected is not None:
            expected.check(self.identity, where=str(self.folder))
        for name, size in self.record["files"].items():
            file = self.folder / name
            if not file.is_file() or file.stat().st_size != size:
                found = f"{file.stat().st_size:,} bytes" if file.is_file() else "nothing"
                raise DataError(f"{file}: {size:,} bytes are expected, {found} found: copy the store again")
        self._touched = 0  # bytes read since pages were last given back
        self._maps: dict[str, NDArray[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "record": self.record, "identity": self.identity, "_touched": 0, "_maps": {}}

    def __len__(self) -> int:
        """How many images."""
        return int(self.record["images"])

    @property
    def feature_size(self) -> int:
        """F."""
        return self.identity.feature_size

    @property
    def about(self) -> dict[str, Any]:
        """What its maker wrote down: `made_by`, `label_names`, `left_out`; empty when it wrote nothing."""
        return dict(self.record.get("about", {}))

    @property
    def ids(self) -> NDArray[np.bytes_]:
        """(I,) image ids as UTF-8, sorted."""
        return self._map("ids.npy")

    @cached_property
    def flat(self) -> FlatRegions:
        """The flat tensors, memory-mapped."""

        def tensor(name: str) -> Tensor | None:
            return torch.from_numpy(self._map(name)) if name in self.record["files"] else None

        features, boxes, offsets = tensor("features.npy"), tensor("boxes.npy"), tensor("offsets.npy")
        assert features is not None
        assert boxes is not None
        assert offsets is not None
        return FlatRegions(
            features=features,
            boxes=boxes,
            offsets=offsets,
            same_count=self.record["regions_per_image"],
            labels=tensor("labels.npy"),
            confidences=tensor("confidences.npy"),
            attributes=tensor("attributes.npy"),
            attribute_confidences=tensor("attribute_confidences.npy"),
        )

    def rows(self, ids: Sequence[str]) -> Tensor:
        """Image ids -> (len(ids),) int64 rows. Raises `DataError` naming ids that are not in the store."""
        rows, found = self.find(ids)
        if not found.all():
            missing = [image_id for image_id, known in zip(ids, found.tolist(), strict=True) if not known]
            raise DataError(
                f"the feature store {self.folder} lacks {len(missing)} of the {len(ids)} images: "
                f"{', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}; it holds {len(self)} images such as "
                f"{', '.join(i.decode() for i in self.ids[:3].tolist())}"
            )
        return rows

    def find(self, ids: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Image ids -> (len(ids),) int64 rows, and (len(ids),) bool: whether the store holds the image."""
        if not len(ids) or not len(self):
            return torch.zeros(len(ids), dtype=torch.int64), torch.zeros(len(ids), dtype=torch.bool)
        wanted = np.char.encode(np.asarray(ids, dtype=np.str_), "utf-8")
        places = np.searchsorted(self.ids, wanted).clip(max=len(self) - 1)
        return torch.from_numpy(self._map("rows.npy")[places]), torch.from_numpy(self.ids[places] == wanted)

    def gather(self, rows: Tensor, *, max_regions: int | None = None) -> Regions:
        """(I',) rows -> Regions of (I', R, F), padded, float32."""
        regions = self.flat.gather(rows, max_regions=max_regions)
        self._give_back(regions.features.nbytes)
        return regions

    def first_not_finite(self) -> str | None:
        """The id of the first image with a NaN or infinite feature, or None. Reads the whole store."""
        flat = self.flat
        for start in range(0, len(flat.features), 8192):
            part = flat.features[start : start + 8192]
            self._give_back(part.nbytes)
            if not torch.isfinite(part).all():
                region = start + int((~torch.isfinite(part)).any(1).nonzero()[0])
                row = int(torch.searchsorted(flat.offsets, region, right=True)) - 1
                place = int(np.flatnonzero(self._map("rows.npy") == row)[0])
                return str(self.ids[place].decode())
        return None

    def check_finite(self) -> None:
        """Raise `DataError` naming the image when a feature is NaN or infinite.

        Stores that `StoreWriter` made were checked when they were written, and are not read again.
        """
        if not self.record["checked_finite"] and (image := self.first_not_finite()) is not None:
            raise DataError(f"{self.folder}: the features of image {image} hold NaN or infinity: extract it again")

    def check_bytes(self) -> None:
        """Read the whole store and raise `DataError` naming a file whose bytes are not those that were written.

        Opening a store compares the sizes of its files only. One that an older version made has no checksums.
        """
        known = self.record.get("checksums")
        if not known:
            raise DataError(f"{self.folder} was made without checksums: make it again to be able to check it")
        for name, expected in known.items():
            if checksum(self.folder / name) != expected:
                raise DataError(f"{self.folder / name} was altered or damaged: copy the store again")

    def _map(self, name: str) -> NDArray[Any]:
        """A file as a private mapping: nothing is read until touched, and nothing can be written back."""
        if name not in self._maps:
            self._maps[name] = np.load(self.folder / name, mmap_mode="c", allow_pickle=False)
        return self._maps[name]

    def _give_back(self, bytes_read: int) -> None:
        """Drop mapped pages now and then, so that resident memory does not grow with what was read.

        The pages stay in the operating system's cache; mapping them in again costs about a microsecond each.
        """
        self._touched += bytes_read
        if self._touched > RESIDENT_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._touched = 0
            mapping: object = self._map("features.npy").base
            if isinstance(mapping, mmap.mmap):
                mapping.madvise(mmap.MADV_DONTNEED)


def _read_record(folder: Path) -> dict[str, Any]:
    file = folder / "store.json"
    if not file.is_file():
        raise DataError(f"{folder} is no feature store: it lacks store.json")
    try:
        record: Any = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is damaged ({error}): copy the store again") from error
    if not isinstance(record, dict):
        raise DataError(f"{file} is damaged (it holds no object): copy the store again")
    if record.get("format") != FORMAT:
        raise DataError(f"{file}: store format {record.get('format')!r}; this version reads format {FORMAT}")
    wrong = [name for name, kind in RECORDED.items() if name not in record or not isinstance(record[name], kind)]
    wrong = wrong or [name for name in {*ARRAYS, *record["files"]} if not isinstance(record["files"].get(name), int)]
    if wrong:
        raise DataError(f"{file} is damaged (no usable {', '.join(sorted(wrong))}): copy the store again")
    return record


def _identity(record: dict[str, Any], folder: Path) -> ExtractorIdentity:
    kinds = {"name": str, "version": str, "parameters": str, "feature_size": int, "boxes": str}
    given = record["extractor"]
    if given.keys() != kinds.keys() or not all(isinstance(given[key], kind) for key, kind in kinds.items()):
        raise DataError(f"{folder / 'store.json'} is damaged (no usable extractor): copy the store again")
    return ExtractorIdentity(**given)


def checksum(file: Path) -> int:
    """CRC-32 of what follows the header of a .npy file. Raises `DataError` for a file that cannot be read."""
    found = 0
    try:
        with file.open("rb") as content:
            content.seek(HEADER_BYTES)
            while part := content.read(1 << 22):
                found = zlib.crc32(part, found)
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error}): copy the store again") from error
    return found
