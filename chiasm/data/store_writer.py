"""Writing a feature store: image after image, aside, and renamed when it is whole."""

from __future__ import annotations

import io
import json
import os
import shutil
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from chiasm.data.example import DataError
from chiasm.data.extractors import BOX_CONVENTION, ExtractorIdentity, check_areas
from chiasm.data.features import DTYPES, FORMAT, HEADER_BYTES, checksum


class StoreWriter:
    """Appends images to a new store at `folder`, which must not exist. Use as a context manager:

        with StoreWriter(folder, extractor.identity) as writer:
            writer.append("2375429", features, boxes)

    The folder appears when the block ends without an error, and not at all otherwise. What `about` holds then is kept
    with it: `made_by` (the extractor's name and options), `label_names`, `left_out` (image id -> reason).
    """

    def __init__(self, folder: Path | str, identity: ExtractorIdentity, *, dtype: str = "float32") -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype {dtype!r}: known are {', '.join(DTYPES)}")
        self.folder, self.identity, self.dtype = Path(folder), identity, dtype
        if self.folder.exists():
            raise DataError(f"{self.folder} exists: delete it, or write the feature store elsewhere")
        self._aside = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.partial")
        shutil.rmtree(self._aside, ignore_errors=True)
        self._aside.mkdir(parents=True)
        self.about: dict[str, Any] = {}  # plain values
        self._ids: dict[str, int] = {}
        self._offsets = [0]
        self._columns: dict[str, _Column] = {}

    def append(
        self,
        image_id: str,
        features: ArrayLike,
        boxes: ArrayLike,
        *,
        labels: ArrayLike | None = None,
        confidences: ArrayLike | None = None,
        attributes: ArrayLike | None = None,
        attribute_confidences: ArrayLike | None = None,
    ) -> None:
        """Add the regions of one image: features (R, F), boxes (R, 4) in [0, 1], and of each region its detected
        class and attribute with their confidences (R,).

        Raises `DataError` naming the image for NaN, infinity, wrong shapes, boxes outside the image or without an area,
        and a repeated id.
        """
        values = self._features(image_id, features)
        corners = np.asarray(boxes, dtype=np.float32)
        if corners.size == 0:
            corners = corners.reshape(0, 4)
        if corners.shape != (len(values), 4) or not (((corners >= -1e-5) & (corners <= 1 + 1e-5)).all()):
            raise DataError(
                f"image {image_id}: boxes of shape {corners.shape}; ({len(values)}, 4) numbers in [0, 1] are expected"
            )
        if self.identity.boxes == BOX_CONVENTION:
            try:
                check_areas(corners)
            except DataError as error:
                raise DataError(f"image {image_id}: {error}") from None
        if image_id in self._ids:
            raise DataError(f"image {image_id} is appended twice")
        given = {"features": values, "boxes": corners}
        for name, optional, dtype in (
            ("labels", labels, np.int64),
            ("confidences", confidences, np.float32),
            ("attributes", attributes, np.int64),
            ("attribute_confidences", attribute_confidences, np.float32),
        ):
            if optional is not None:
                given[name] = np.asarray(optional, dtype=dtype)
        if self._ids and given.keys() != self._columns.keys():
            raise DataError(f"image {image_id} comes with {sorted(given)}, those before with {sorted(self._columns)}")
        for name, column in given.items():
            if len(column) != len(values):
                raise DataError(f"image {image_id}: {len(column)} {name} for {len(values)} regions")
        for name, column in given.items():
            if name not in self._columns:
                self._columns[name] = _Column(self._aside / f"{name}.npy", column)
            self._columns[name].append(column)
        self._ids[image_id] = len(self._ids)
        self._offsets.append(self._offsets[-1] + len(values))

    def _features(self, image_id: str, features: ArrayLike) -> NDArray[Any]:
        values = torch.from_numpy(np.require(features, requirements="W"))
        if values.ndim != 2 or values.shape[1] != self.identity.feature_size:
            raise DataError(
                f"image {image_id}: features of shape {tuple(values.shape)}; "
                f"(regions, {self.identity.feature_size}) is expected"
            )
        values = values.to(DTYPES[self.dtype])
        if not torch.isfinite(values).all():
            raise DataError(f"image {image_id}: a feature is NaN, infinite or too large for {self.dtype}")
        return values.numpy()

    def finish(self) -> None:
        """Make the store whole and give it its name."""
        if not self._ids:
            self._columns["features"] = _Column(
                self._aside / "features.npy", self._features("", np.empty((0, self.identity.feature_size)))
            )
            self._columns["boxes"] = _Column(self._aside / "boxes.npy", np.empty((0, 4), np.float32))
        for column in self._columns.values():
            column.close()
        self._write_ids()
        counts = set(np.diff(self._offsets).tolist())
        record = {
            "format": FORMAT,
            "extractor": self.identity.to_json(),
            "dtype": self.dtype,
            "images": len(self._ids),
            "regions": self._offsets[-1],
            "regions_per_image": counts.pop() if len(counts) == 1 else None,
            "checked_finite": True,
            "about": self.about,
            "files": {file.name: file.stat().st_size for file in sorted(self._aside.iterdir())},
            "checksums": self._checksums(),
        }
        (self._aside / "store.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        for file in self._aside.iterdir():
            _to_disk(file)
        self._aside.rename(self.folder)

    def _checksums(self) -> dict[str, int]:
        """Of each file, as `FeatureStore.check_bytes` compares them; those of columns are known without reading."""
        known = {f"{name}.npy": column.checksum for name, column in self._columns.items()}
        return {file.name: known.get(file.name) or checksum(file) for file in sorted(self._aside.iterdir())}

    def _write_ids(self) -> None:
        ids = np.array([image_id.encode() for image_id in self._ids] or [b""], dtype=np.bytes_)[: len(self._ids)]
        order = np.argsort(ids, kind="stable")
        np.save(self._aside / "ids.npy", ids[order], allow_pickle=False)
        np.save(self._aside / "rows.npy", order.astype(np.int64), allow_pickle=False)
        np.save(self._aside / "offsets.npy", np.asarray(self._offsets, dtype=np.int64), allow_pickle=False)

    def abandon(self) -> None:
        """Remove what was written."""
        for column in self._columns.values():
            column.file.close()
        shutil.rmtree(self._aside, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abandon()
            return
        try:
            self.finish()
        except BaseException:
            self.abandon()
            raise


class _Column:
    """A .npy file that grows: rows are appended, the header gets the final shape at the end."""

    def __init__(self, path: Path, first: NDArray[Any]) -> None:
        self.file: BinaryIO = path.open("wb")
        self.dtype, self.row_shape, self.rows = first.dtype, first.shape[1:], 0
        self.checksum = 0
        self.file.write(b"\0" * HEADER_BYTES)

    def append(self, values: NDArray[Any]) -> None:
        content = np.ascontiguousarray(values, dtype=self.dtype).data
        self.file.write(content)
        self.checksum = zlib.crc32(content, self.checksum)
        self.rows += len(values)

    def close(self) -> None:
        self.file.seek(0)
        self.file.write(_npy_header(self.dtype, (self.rows, *self.row_shape)))
        self.file.close()


def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """A .npy header, version 1.0, of exactly `HEADER_BYTES`."""
    written = io.BytesIO()
    text = repr({"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
    room = HEADER_BYTES - 10 - 1
    written.write(np.lib.format.magic(1, 0) + (room + 1).to_bytes(2, "little"))
    written.write(text.ljust(room).encode("latin1") + b"\n")
    return written.getvalue()


def _to_disk(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
