"""How a published vision model wants its images: sizes and colours, as its `preprocessor_config.json` says.

Read here rather than by the processor classes of `transformers`, which change with its version and with what else is
installed; the same file gives the same pixels on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chiasm.data.example import DataError

FILE = "preprocessor_config.json"
SHARED_FILE = "processor_config.json"  # where processors of several modalities keep it, below "image_processor"


@dataclass(frozen=True)
class Preparation:
    """Resizing and normalising.

    Either both `height` and `width` are given, and the image is stretched to them; or the shorter edge becomes
    `shortest`, unless the longer one would be over `longest` (0: no limit).

    # Differs: where the file asks for the middle of the image to be cut out, the whole image is stretched to that size
    instead, so that no part of it goes unseen and the boxes of its parts are true.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1 / 255
    height: int = 0
    width: int = 0
    shortest: int = 0
    longest: int = 0
    resample: int = int(Image.Resampling.BILINEAR)

    @classmethod
    def load(cls, model: str, revision: str | None = None) -> Self:
        """That of a local folder, or of a name on the Hub. Raises `DataError` when it has none."""
        from transformers.utils import cached_file

        for name, part in ((FILE, None), (SHARED_FILE, "image_processor")):
            file = cached_file(model, name, revision=revision, _raise_exceptions_for_missing_entries=False)
            if file is not None:
                content = json.loads(Path(file).read_text(encoding="utf-8"))
                values = content.get(part) if part else content
                if values:
                    return cls.from_values(values, where=f"{model}/{name}")
        raise DataError(f"{model} has no {FILE}: save the model's image processor beside its weights")

    @classmethod
    def from_values(cls, values: Mapping[str, Any], *, where: str = FILE) -> Self:
        """From the values of such a file, old or new in form."""
        if "size" not in values:
            raise DataError(f"{where} says no size for images")
        normalised = values.get("do_normalize", True)
        if normalised and not ("image_mean" in values and "image_std" in values):
            raise DataError(f"{where} says no image_mean and image_std")
        return cls(
            mean=tuple(values["image_mean"]) if normalised else (0.0, 0.0, 0.0),
            std=tuple(values["image_std"]) if normalised else (1.0, 1.0, 1.0),
            scale=float(values.get("rescale_factor") or 1 / 255) if values.get("do_rescale", True) else 1.0,
            resample=int(values.get("resample") or Image.Resampling.BILINEAR),
            **_sizes(values, where),
        )

    def save(self, folder: Path) -> None:
        """Write it as `load` reads it."""
        size = (
            {"height": self.height, "width": self.width}
            if self.height
            else {"shortest_edge": self.shortest, **({"longest_edge": self.longest} if self.longest else {})}
        )
        values = {
            "size": size,
            "image_mean": list(self.mean),
            "image_std": list(self.std),
            "rescale_factor": self.scale,
            "resample": self.resample,
        }
        (folder / FILE).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    def to_json(self) -> dict[str, Any]:
        """As plain values, for an identity."""
        return asdict(self)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the resized image."""
        if self.height:
            return self.width, self.height
        short, long = min(width, height), max(width, height)
        edge, exact = self.shortest, float(self.shortest)
        if self.longest and long / short * self.shortest > self.longest:
            exact = self.longest * short / long
            edge = round(exact)
        other = max(1, int(exact * long / short))
        if short == edge:
            return width, height
        return (edge, other) if width < height else (other, edge)

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """An RGB image -> (3, height, width)."""
        size = self.size(image.width, image.height)
        resized = image if size == image.size else image.resize(size, Image.Resampling(self.resample))
        values = np.asarray(resized, dtype=np.float32) * np.float32(self.scale)
        scaled = (values - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def _sizes(values: Mapping[str, Any], where: str) -> dict[str, int]:
    """The fields that say the size. A central part that is cut out is what the model sees."""
    size = values.get("crop_size", values["size"]) if values.get("do_center_crop") else values["size"]
    if isinstance(size, int):  # as older files have it: one number, and the longest edge beside it
        longest = values.get("max_size")
        return {"shortest": size, "longest": int(longest)} if longest else {"height": size, "width": size}
    if "height" in size:
        return {"height": int(size["height"]), "width": int(size["width"])}
    if "shortest_edge" not in size:
        raise DataError(f"{where}: size {size}; height and width, or shortest_edge, are expected")
    if "longest_edge" in size:
        return {"shortest": int(size["shortest_edge"]), "longest": int(size["longest_edge"])}
    edge = int(size["shortest_edge"])  # classifiers: the middle of the resized image is cut out, a square
    return {"height": edge, "width": edge}
