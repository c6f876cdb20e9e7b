"""Regions: from images and boxes to features, by an extractor or from a feature store.

Each distinct image is extracted once, however many rows ask about it, and a batch holds it once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chiasm.batch import Regions
from chiasm.data.columns import Column, Preprocessor
from chiasm.data.distinct import DistinctImages, distinct_rows, hash_of_images, image_name, image_stem
from chiasm.data.example import DataError, Example, raise_rows
from chiasm.data.extractors import Extractor, ExtractorIdentity, make_extractor
from chiasm.data.features import DTYPES, FeatureStore
from chiasm.data.flat_regions import FlatRegions
from chiasm.data.images import open_image
from chiasm.data.progress import track
from chiasm.data.store_writer import StoreWriter

Extracted = tuple[NDArray[np.float32], NDArray[np.float32]]


class RegionsColumn(Column):
    """Which regions each example has: `index` (examples, S) points into a feature store or tensors in memory."""

    def __init__(self, source: FeatureStore | FlatRegions, index: Tensor, *, max_regions: int) -> None:
        self.source = source
        self.index = index
        self.max_regions = max_regions

    def __len__(self) -> int:
        return self.index.shape[0]

    def gather(self, examples: Tensor) -> Regions:
        """(B,) -> Regions of (I, R, F): each distinct image once; `index` is None when row b is example b's."""
        rows, index = distinct_rows(self.index[examples])
        regions = self.source.gather(rows, max_regions=self.max_regions)
        return Regions(**{**vars(regions), "index": index})


class Preprocess(Preprocessor):
    """Images (and boxes) -> regions, by `extractor` with `extractor_options`, or looked up in the feature `store`.

    A store knows images by file name without extension. Features go to memory as `dtype`, or, when a `cache` folder
    is given, to a store in it, which the next run on the same images opens instead of extracting again.
    """

    stream: ClassVar[str] = "regions"
    role: ClassVar[str] = "images"

    def __init__(
        self,
        *,
        extractor: str = "pixels",
        extractor_options: Mapping[str, Any] | None = None,
        store: str = "",  # folder of a feature store; then no extractor runs
        max_regions: int = 36,  # further ones are left out
        dtype: str = "float32",  # of the features in memory or cache: float32 or float16
        cache: str = "",
        workers: int = 0,  # threads that extract; 0: as many as there are cores
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype {dtype!r}: known are {', '.join(DTYPES)}")
        if max_regions < 1:
            raise ValueError(f"max_regions is {max_regions}: at least 1 is needed")
        self.options: dict[str, Any] = {
            "extractor": extractor,
            "extractor_options": dict(extractor_options or {}),
            "store": str(store),
            "max_regions": max_regions,
            "dtype": dtype,
            "cache": str(cache),
            "workers": workers,
        }
        self._store = FeatureStore(store) if store else None
        self._extractor = None if store else make_extractor(extractor, extractor_options)
        self._identity = self._store.identity if self._store else self._extractor.identity  # type: ignore[union-attr]

    @property
    def identity(self) -> ExtractorIdentity:
        """Whose features these are."""
        return self._identity

    @property
    def facts(self) -> dict[str, int]:
        return {"feature_size": self._identity.feature_size}

    def fit(self, examples: Sequence[Example]) -> Self:
        return self

    def use_store(self, folder: Path | str) -> None:
        """Look images up in this store from now on. Raises `DataError` when another extractor made it."""
        self._store = FeatureStore(folder, expected=self._identity)

    def encode(self, examples: Sequence[Example]) -> RegionsColumn:
        if self._store is not None:
            return self._look_up(self._store, examples)
        if self._extractor is None:
            raise DataError(
                f"this model was trained on features made by {self._identity}, which is not an extractor of this "
                "package: give a feature store of it"
            )
        distinct = DistinctImages(examples, with_boxes=True)
        source = self._extract(self._extractor, distinct)
        return RegionsColumn(source, distinct.index, max_regions=self.options["max_regions"])

    def _look_up(self, store: FeatureStore, examples: Sequence[Example]) -> RegionsColumn:
        """The rows of the examples' images in a store."""
        store.check_finite()
        distinct = DistinctImages(examples)
        stems = [image_stem(value) or "" for value, _ in distinct.values]
        rows, found = store.find(stems)
        missing = {
            i: f"image {image_name(distinct.values[i][0])} (id {stems[i]!r}) is not in the feature store {store.folder}"
            for i in (~found).nonzero()[:, 0].tolist()
        }
        raise_rows(distinct.errors(missing))
        return RegionsColumn(store, rows[distinct.index], max_regions=self.options["max_regions"])

    def _extract(self, extractor: Extractor, distinct: DistinctImages) -> FeatureStore | FlatRegions:
        """The regions of the distinct images, in their order: from the cache, or extracted now."""
        if not self.options["cache"]:
            return in_memory(self._extracted(extractor, distinct), dtype=self.options["dtype"])
        folder = Path(self.options["cache"]) / f"regions-{self._cache_key(distinct)}"
        if not folder.exists():
            with StoreWriter(folder, extractor.identity, dtype=self.options["dtype"]) as writer:
                for i, (features, boxes) in enumerate(self._extracted(extractor, distinct)):
                    writer.append(f"{i:010d}", features, boxes)
        return FeatureStore(folder, expected=extractor.identity)

    def _extracted(self, extractor: Extractor, distinct: DistinctImages) -> Iterator[Extracted]:
        """Each distinct image's features and boxes. Bad images are collected and raised together at the end."""
        keep = self.options["max_regions"]

        def one(pair: tuple[Any, Any]) -> Extracted | DataError:
            value, boxes = pair
            try:
                features, corners = extractor(open_image(value), boxes)
            except DataError as error:
                return error if image_name(value) in str(error) else DataError(f"image {image_name(value)}: {error}")
            if not np.isfinite(features).all():
                return DataError(f"image {image_name(value)}: the extractor gave NaN or infinite features")
            return features[:keep], corners[:keep]

        bad: dict[int, str] = {}
        with ThreadPoolExecutor(self.options["workers"] or None) as pool:
            results = _in_order(pool, one, distinct.values)
            for place, result in enumerate(track(results, len(distinct.values), "regions")):
                if isinstance(result, DataError):
                    bad[place] = str(result)
                elif not bad:
                    yield result
        raise_rows(distinct.errors(bad))

    def _cache_key(self, distinct: DistinctImages) -> str:
        digest = hashlib.sha256(hash_of_images(value for value, _ in distinct.values).encode())
        for _, boxes in distinct.values:
            digest.update(repr(None if boxes is None else [[float(v) for v in box] for box in boxes]).encode())
        options = [self._identity.to_json(), self.options["max_regions"], self.options["dtype"]]
        digest.update(json.dumps(options).encode())
        return digest.hexdigest()[:24]

    def save(self, folder: Path) -> None:
        """Write options and identity. Folders of this machine (`store`, `cache`) are not written."""
        options = {**self.options, "store": "", "cache": ""}
        record = {
            "stream": self.stream,
            "options": options,
            "identity": self._identity.to_json(),
            "from_store": self._extractor is None,
        }
        (folder / "preprocess.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote. Raises `DataError` when this version's extractor is no longer the one that was used."""
        record = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        identity = ExtractorIdentity(**record["identity"])
        loaded = cls(**record["options"])
        if record["from_store"]:
            loaded._extractor = None
        else:
            identity.check(loaded._identity, where="this installation's extractor")
        loaded._identity = identity
        return loaded


def _in_order(pool: ThreadPoolExecutor, work: Any, items: Sequence[Any]) -> Iterator[Any]:
    """`work` of each item, in order, a bounded number ahead, so that results do not pile up in memory."""
    ahead = 256
    waiting = [pool.submit(work, item) for item in items[:ahead]]
    for place in range(len(items)):
        yield waiting[place % ahead].result()
        if place + ahead < len(items):
            waiting[place % ahead] = pool.submit(work, items[place + ahead])


def in_memory(extracted: Iterable[Extracted], *, dtype: str = "float32") -> FlatRegions:
    """Features and boxes of image after image as flat tensors in memory."""
    kept = [(torch.from_numpy(f).to(DTYPES[dtype]), torch.from_numpy(b)) for f, b in extracted]
    counts = torch.tensor([len(f) for f, _ in kept], dtype=torch.int64)
    same = int(counts[0]) if len(counts) and bool((counts == counts[0]).all()) else None
    return FlatRegions(
        features=torch.cat([f for f, _ in kept]),
        boxes=torch.cat([b for _, b in kept]),
        offsets=torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]),
        same_count=same,
    )
