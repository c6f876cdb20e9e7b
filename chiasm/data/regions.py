"""Regions: from images and boxes to features, by an extractor or from a feature store.

Each distinct image is extracted once, however many rows ask about it, and a batch holds it once.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from chiasm.batch import Regions
from chiasm.data.columns import Column, Preprocessor
from chiasm.data.distinct import DistinctImages, distinct_rows, hash_of_images, image_name, image_stem
from chiasm.data.example import DataError, Example, raise_rows
from chiasm.data.extractors import FOLDER, Extraction, Extractor, ExtractorIdentity, check_areas, make_extractor
from chiasm.data.features import DTYPES, FeatureStore
from chiasm.data.flat_regions import FlatRegions
from chiasm.data.image_files import shared_ids
from chiasm.data.images import open_image
from chiasm.data.progress import track
from chiasm.data.store_writer import StoreWriter
from chiasm.registry import UnknownName

EXTRACTOR = "extractor"  # where a saved preprocessor keeps what its extractor needs


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
        extractor: str = "pixels",  # a file in data/extractors
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

    @property
    def extractor(self) -> Extractor | None:
        """What finds regions in images; None when they are looked up in a store."""
        return self._extractor

    def use_extractor(self, extractor: Extractor) -> None:
        """Find regions by this extractor from now on. Raises `DataError` when it gives other features."""
        self._identity.check(extractor.identity, where="the given extractor")
        self._extractor = extractor

    def encode(self, examples: Sequence[Example]) -> RegionsColumn:
        if self._store is not None:
            return self._look_up(self._store, examples)
        if self._extractor is None:
            raise DataError(
                f"this model was trained on features made by {self._identity}, which is not an extractor of this "
                "package: give a feature store of it (--store)"
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
        bad = shared_ids([value for value, _ in distinct.values]) | {
            i: f"image {image_name(distinct.values[i][0])} (id {stems[i]!r}) is not in the feature store {store.folder}"
            for i in (~found).nonzero()[:, 0].tolist()
        }
        raise_rows(distinct.errors(bad))
        return RegionsColumn(store, rows[distinct.index], max_regions=self.options["max_regions"])

    def _extract(self, extractor: Extractor, distinct: DistinctImages) -> FeatureStore | FlatRegions:
        """The regions of the distinct images, in their order: from the cache, or extracted now."""
        if not self.options["cache"]:
            return in_memory(self._extracted(extractor, distinct), dtype=self.options["dtype"])
        folder = Path(self.options["cache"]) / f"regions-{self._cache_key(distinct)}"
        if not folder.exists():
            with StoreWriter(folder, extractor.identity, dtype=self.options["dtype"]) as writer:
                for i, found in enumerate(self._extracted(extractor, distinct)):
                    writer.append(
                        f"{i:010d}", found.features, found.boxes, labels=found.labels, confidences=found.confidences
                    )
        return FeatureStore(folder, expected=extractor.identity)

    def _extracted(self, extractor: Extractor, distinct: DistinctImages) -> Iterator[Extraction]:
        """The regions of each distinct image. Bad images are collected and raised together at the end."""
        keep = self.options["max_regions"]
        bad: dict[int, str] = {}
        with ThreadPoolExecutor(self.options["workers"] or None) as pool:
            results = _found(pool, extractor, distinct.values)
            for place, result in enumerate(track(results, len(distinct.values), "regions")):
                if isinstance(result, DataError):
                    bad[place] = str(result)
                elif not bad:
                    yield result.first(keep)
        raise_rows(distinct.errors(bad))

    def _cache_key(self, distinct: DistinctImages) -> str:
        digest = hashlib.sha256(hash_of_images(value for value, _ in distinct.values).encode())
        for _, boxes in distinct.values:
            digest.update(repr(None if boxes is None else [[float(v) for v in box] for box in boxes]).encode())
        options = [self._identity.to_json(), self.options["max_regions"], self.options["dtype"]]
        digest.update(json.dumps(options).encode())
        return digest.hexdigest()[:24]

    def save(self, folder: Path) -> None:
        """Write options, identity, and the extractor's weights, so that the model can be asked about new images.

        Folders of this machine (`store`, `cache`) are not written. A model that was trained on a store takes along the
        extractor that the store names; when that cannot be loaded, a warning says so.
        """
        extractor = self._extractor or self._of_store()
        options = {**self.options, "store": "", "cache": ""}
        if extractor is not None:
            saved = extractor.save(folder / EXTRACTOR)
            options |= {"extractor": extractor.name, "extractor_options": saved}
        record = {
            "stream": self.stream,
            "options": options,
            "identity": self._identity.to_json(),
            "from_store": extractor is None,
        }
        (folder / "preprocess.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote. Raises `DataError` when this version's extractor is no longer the one that was used."""
        record = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        identity = ExtractorIdentity(**record["identity"])
        options = dict(record["options"])
        here = str(folder / EXTRACTOR)
        given = options["extractor_options"].items()
        options["extractor_options"] = {key: here if value == FOLDER else value for key, value in given}
        loaded = cls(**options)
        if record["from_store"]:
            loaded._extractor = None
        else:
            identity.check(loaded._identity, where="this installation's extractor")
        loaded._identity = identity
        return loaded

    def _of_store(self) -> Extractor | None:
        """The extractor that made the store, when the store names one and it can be had here."""
        made_by = self._store.about.get("made_by") if self._store is not None else None
        if made_by is None:
            return None
        try:
            extractor = make_extractor(made_by["extractor"], made_by["options"])
            self._identity.check(extractor.identity, where="the extractor that the store names")
        except (DataError, UnknownName, ValueError) as error:
            warnings.warn(f"the model will need a feature store for new images: {error}", stacklevel=2)
            return None
        return extractor


def _found(pool: ThreadPoolExecutor, extractor: Extractor, images: Sequence[Any]) -> Iterator[Extraction | DataError]:
    """What is found in each (image, boxes) pair, or why nothing is, in order."""
    if extractor.batch_size == 1:
        yield from _in_order(pool, partial(_found_in, extractor), images)
        return
    opened = zip(images, _in_order(pool, _opened, images), strict=True)
    while chunk := list(islice(opened, extractor.batch_size)):
        results = iter(extractor.attempt([one for _, one in chunk if not isinstance(one, DataError)]))
        yield from (one if isinstance(one, DataError) else _usable(next(results), pair) for pair, one in chunk)


def _found_in(extractor: Extractor, pair: tuple[Any, Any]) -> Extraction | DataError:
    opened = _opened(pair)
    if isinstance(opened, DataError):
        return opened
    (result,) = extractor.attempt([opened])
    return _usable(result, pair)


def _usable(result: Extraction | DataError, pair: tuple[Any, Any]) -> Extraction | DataError:
    """The regions of a pair when they can be used, else an error that names the image."""
    if isinstance(result, DataError):
        return DataError(f"image {image_name(pair[0])}: {result}")
    try:
        if not np.isfinite(result.features).all():
            raise DataError("the extractor gave NaN or infinite features")
        check_areas(result.boxes)
    except DataError as error:
        return DataError(f"image {image_name(pair[0])}: {error}")
    return result


def _opened(pair: tuple[Any, Any]) -> tuple[Image.Image, Any] | DataError:
    try:
        return open_image(pair[0]), pair[1]
    except DataError as error:
        return error


def _in_order(pool: ThreadPoolExecutor, work: Any, items: Sequence[Any]) -> Iterator[Any]:
    """`work` of each item, in order, a bounded number ahead, so that results do not pile up in memory."""
    ahead = 256
    waiting = [pool.submit(work, item) for item in items[:ahead]]
    for place in range(len(items)):
        yield waiting[place % ahead].result()
        if place + ahead < len(items):
            waiting[place % ahead] = pool.submit(work, items[place + ahead])


def in_memory(extracted: Iterable[Extraction], *, dtype: str = "float32") -> FlatRegions:
    """The regions of image after image as flat tensors in memory."""
    kept = list(extracted)
    counts = torch.tensor([len(found.features) for found in kept], dtype=torch.int64)
    same = int(counts[0]) if len(counts) and bool((counts == counts[0]).all()) else None

    def joined(name: str) -> Tensor | None:
        """One column of all images; None unless every image has it."""
        values = [getattr(found, name) for found in kept]
        return None if any(value is None for value in values) else torch.cat([torch.from_numpy(v) for v in values])

    return FlatRegions(
        features=torch.cat([torch.from_numpy(found.features).to(DTYPES[dtype]) for found in kept]),
        boxes=torch.cat([torch.from_numpy(found.boxes) for found in kept]),
        offsets=torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]),
        same_count=same,
        labels=joined("labels"),
        confidences=joined("confidences"),
    )
