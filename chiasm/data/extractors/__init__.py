"""From an image to regions: a file here is an extractor, found by its name. Each defines `Extract`.

An extractor has an identity; features made by one are never fed to a model that was trained on another's. Files that
begin with an underscore are what extractors share.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chiasm.data.distinct import four_numbers
from chiasm.data.example import DataError
from chiasm.registry import UnknownName, find, names, nearest

FOLDER = "{folder}"  # in saved options: the folder that the extractor was saved into
BOX_CONVENTION = "x1, y1, x2, y2 divided by width, height, width, height"


@dataclass(frozen=True)
class ExtractorIdentity:
    """Who made features: two sets of features belong together only when their identities are equal."""

    name: str
    version: str
    parameters: str  # hash of the options
    feature_size: int
    boxes: str = BOX_CONVENTION

    def __str__(self) -> str:
        return f"{self.name} {self.version} (parameters {self.parameters}, {self.feature_size} features)"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def check(self, other: ExtractorIdentity, *, where: str) -> None:
        """Raise `DataError` naming both extractors when `other`, found at `where`, is not this one."""
        if other == self:
            return
        differing = [key for key, value in self.to_json().items() if value != other.to_json()[key]]
        raise DataError(
            f"the features in {where} were made by {other}, but {self} is expected (differs: "
            f"{', '.join(differing)}): use features of the same extractor"
        )


def parameters_hash(options: Mapping[str, Any]) -> str:
    """Twelve hex digits that change with any option."""
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:12]


Boxes = Sequence[Sequence[float]] | None  # of one image: x1, y1, x2, y2 in pixels, or not known


@dataclass(frozen=True)
class Extraction:
    """The regions of one image."""

    features: NDArray[Any]  # (R, F)
    boxes: NDArray[np.float32]  # (R, 4) in [0, 1]
    labels: NDArray[np.int64] | None = None  # (R,) detected class
    confidences: NDArray[np.float32] | None = None  # (R,) in [0, 1]

    def first(self, count: int) -> Extraction:
        """The first `count` regions."""
        if len(self.features) <= count:
            return self
        kept: dict[str, Any] = {name: None if v is None else v[:count] for name, v in vars(self).items()}
        return Extraction(**kept)


class Extractor(ABC):
    """An image and, if known, its boxes -> features and boxes. `__init__` takes keyword options of plain values.

    One that knows more than that of a region (its class), or is faster on several images at once, overrides `extract`.
    """

    name: ClassVar[str]
    version: ClassVar[str]  # raised whenever the same options give other features
    options: dict[str, Any]
    batch_size: int = 1  # how many images `extract` is best given at once; 1: threads may call this extractor
    label_names: tuple[str, ...] = ()  # what the labels of regions mean, where it gives labels

    @property
    @abstractmethod
    def feature_size(self) -> int:
        """F."""

    @abstractmethod
    def __call__(
        self, image: Image.Image, boxes: Sequence[Sequence[float]] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """An RGB image and boxes in pixels -> features (R, F) float32, boxes (R, 4) in [0, 1]. Raises DataError."""

    def extract(self, images: Sequence[tuple[Image.Image, Boxes]]) -> list[Extraction]:
        """The regions of several RGB images with their boxes, in order. Raises `DataError`."""
        return [Extraction(*self(image, boxes)) for image, boxes in images]

    def attempt(self, images: Sequence[tuple[Image.Image, Boxes]]) -> list[Extraction | DataError]:
        """What `extract` gives, with an error in the place of each image that cannot be used."""
        try:
            return list(self.extract(images)) if images else []
        except DataError as error:
            if len(images) == 1:
                return [error]
            return [result for image in images for result in self.attempt([image])]

    def batch_key(self, width: int, height: int) -> Any:
        """Images with equal keys may be given to `extract` together at no cost."""
        return None

    def save(self, folder: Path) -> dict[str, Any]:
        """Write what this extractor needs besides its options (weights) into `folder`, made if needed.

        Returns the options that make the same extractor again; `FOLDER` in them stands for that folder.
        """
        return dict(self.options)

    @property
    def identity(self) -> ExtractorIdentity:
        """Name, version and options of this extractor."""
        return ExtractorIdentity(self.name, self.version, parameters_hash(self.options), self.feature_size)


def extractor_names() -> list[str]:
    """All extractors."""
    return names(__name__, __path__)


def make_extractor(name: str, options: Mapping[str, Any] | None = None) -> Extractor:
    """The extractor `name` with these options. Raises `UnknownName` for a name or option that is not known."""
    made: type[Extractor] = find(__name__, __path__, name, what="extractor").Extract
    known = list(inspect.signature(made).parameters)
    for option in options or {}:
        if option not in known:
            raise UnknownName(nearest(option, known, what=f"option of extractor {name}"))
    return made(**(options or {}))


def chosen_extractor(name: str, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What a person calls an extractor -> its name and options: a file here, or a model of `transformers`.

    A model whose configuration says that it detects objects is a "detector", any other a "backbone". Raises `DataError`
    when the name is neither.
    """
    if name in extractor_names():
        return name, dict(options)
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        known = ", ".join(extractor_names())
        raise DataError(f"{name!r} is no extractor ({known}), and no model that can be loaded: {reason}") from error
    detects = any(str(kind).endswith("ForObjectDetection") for kind in config.architectures or ())
    return ("detector" if detects else "backbone"), {**options, "model": name}


def cell_boxes(rows: int, columns: int) -> NDArray[np.float32]:
    """(rows columns, 4): the cells of a grid over the image in [0, 1], from the top left, line by line."""
    top, left = np.divmod(np.arange(rows * columns), columns)
    corners = [left / columns, top / rows, (left + 1) / columns, (top + 1) / rows]
    return np.stack(corners, axis=1).astype(np.float32)


def signed(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours 0 to 255 -> -1 to 1: around zero, so that brightness alone does not dominate what a layer sees."""
    return colours * np.float32(2 / 255) - np.float32(1)


def check_boxes(boxes: Sequence[Sequence[float]], width: int, height: int) -> NDArray[np.float64]:
    """Boxes x1, y1, x2, y2 in pixels as (R, 4), clipped to the image.

    A box may stick out by one pixel (annotators' rounding). Raises `DataError` naming the first box that sticks out
    further, has no area, or is not four finite numbers.
    """
    found = four_numbers(boxes)
    low, high = np.zeros(4), np.array([width, height, width, height], dtype=np.float64)
    clipped = np.clip(found, low, high)
    outside = ~(np.abs(clipped - found) <= 1).all(axis=1)  # also true for NaN
    empty = (clipped[:, 2] <= clipped[:, 0]) | (clipped[:, 3] <= clipped[:, 1])
    for bad, what in ((outside, f"is outside the image of {width} x {height} pixels"), (empty, "has no area")):
        if bad.any():
            place = int(bad.argmax())
            raise DataError(f"box {place + 1}, {[float(v) for v in found[place]]}, {what} (x1, y1, x2, y2 in pixels)")
    return clipped


def check_areas(boxes: NDArray[Any]) -> None:
    """Raise `DataError` naming the first of the boxes (R, 4) that has no area, or its corners the wrong way round."""
    flat = ~((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))  # also true for NaN
    if flat.any():
        place = int(flat.argmax())
        told = [round(float(v), 6) for v in boxes[place]]
        raise DataError(f"box {place + 1}, {told}, has no area (x1, y1, x2, y2 with x1 < x2 and y1 < y2 are expected)")
