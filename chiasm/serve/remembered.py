"""The regions of the last pictures, remembered: one picture is looked at, asked about and explained in turn."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chiasm.data.extractors import Boxes, Extraction, Extractor, ExtractorIdentity
from chiasm.data.regions import Preprocess
from chiasm.training.bundle import Bundle

PICTURES = 512  # at most; 36 regions of 2,048 numbers are 300 kB each


class Remembering(Extractor):
    """Another extractor that extracts the same picture with the same boxes once; from any thread."""

    def __init__(self, extractor: Extractor, pictures: int = PICTURES) -> None:
        self.inner, self.pictures = extractor, pictures
        self.options = extractor.options
        self.batch_size, self.label_names = extractor.batch_size, extractor.label_names
        self._known: OrderedDict[bytes, Extraction] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def feature_size(self) -> int:
        return self.inner.feature_size

    @property
    def identity(self) -> ExtractorIdentity:
        return self.inner.identity

    def __call__(self, image: Image.Image, boxes: Boxes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        (found,) = self.extract([(image, boxes)])
        return found.features, found.boxes

    def extract(self, images: Sequence[tuple[Image.Image, Boxes]]) -> list[Extraction]:
        keys = [_key(image, boxes) for image, boxes in images]
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
            for key in found:
                self._known.move_to_end(key)
        missing = {key: image for key, image in zip(keys, images, strict=True) if key not in found}
        if missing:
            found |= dict(zip(missing, self.inner.extract(list(missing.values())), strict=True))
            self._remember({key: found[key] for key in missing})
        return [found[key] for key in keys]

    def batch_key(self, width: int, height: int) -> Any:
        return self.inner.batch_key(width, height)

    def save(self, folder: Path) -> dict[str, Any]:
        return self.inner.save(folder)

    def _remember(self, found: dict[bytes, Extraction]) -> None:
        with self._lock:
            self._known.update(found)
            while len(self._known) > self.pictures:
                self._known.popitem(last=False)


def remember_regions(bundle: Bundle, pictures: int = PICTURES) -> None:
    """From now on the bundle finds the regions of the last `pictures` pictures once; one without regions is left."""
    regions = bundle.preprocessors.get("regions")
    if isinstance(regions, Preprocess) and regions.extractor is not None:
        regions.use_extractor(Remembering(regions.extractor, pictures))


def _key(image: Image.Image, boxes: Boxes) -> bytes:
    digest = hashlib.sha256(f"{image.mode}{image.size}{boxes!r}".encode())
    digest.update(image.tobytes())
    return digest.digest()
