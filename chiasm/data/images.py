"""Images: any format Pillow reads, from anywhere, as upright RGB; and whole images for encoders that take pixels.

An image value is a path, "archive.zip::member.png", bytes, a Pillow image, or an array of (height, width[, channels]).
"""

from __future__ import annotations

import io
import json
import lzma
import math
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from chiasm import batch
from chiasm.data.columns import Column, Preprocessor
from chiasm.data.distinct import MEMBER, DistinctImages, distinct_rows, image_name
from chiasm.data.example import DataError, Example, raise_rows
from chiasm.data.progress import track

MAX_PIXELS = 89_478_485  # Pillow's own limit against decompression bombs: 256 MB of RGB
_archives = threading.local()  # open zip files of each thread: a ZipFile is not safe to share


def open_image(value: Any) -> Image.Image:
    """The image, upright, as RGB on white. Raises `DataError` naming the file, what is wrong and what to do."""
    with _told(image_name(value)):
        image = _decode(value)
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if not image.width * image.height:
            raise DataError(
                f"image {image_name(value)} is {image.width} x {image.height} pixels: nothing can be seen in it"
            )
        image.load()
        return to_rgb(ImageOps.exif_transpose(image))


def upright_size(value: Any) -> tuple[int, int]:
    """Width and height of the upright image, read from its header alone. Raises `DataError` as `open_image` does."""
    with _told(image_name(value)):
        image = _decode(value)
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        return (image.height, image.width) if turned else (image.width, image.height)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What goes wrong inside, as a `DataError` that a person can act on."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"image {name} has more than {MAX_PIXELS:,} pixels: make it smaller") from None
    except FileNotFoundError:
        raise DataError(f"image {name} is not there: check the path and the folder it is relative to") from None
    except IsADirectoryError:
        raise DataError(f"image {name} is a folder: give the path of a picture") from None
    except UnidentifiedImageError:
        raise DataError(f"image {name} is in no format that Pillow reads: convert it to PNG or JPEG") from None
    except (OSError, SyntaxError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"image {name} is damaged ({error}): copy or download it again") from error
    except RuntimeError as error:  # an archive with a password, or packed in a way that zipfile does not know
        raise DataError(f"image {name} cannot be read ({error}): pack it again, as an ordinary zip archive") from error


def _decode(value: Any) -> Image.Image:
    if isinstance(value, Image.Image):
        return value
    if isinstance(value, (bytes, bytearray)):
        return Image.open(io.BytesIO(value))
    if isinstance(value, np.ndarray):
        return _from_array(value)
    archive, _, member = str(value).partition(MEMBER)
    if not member:
        return Image.open(io.BytesIO(Path(archive).read_bytes()))  # the file is closed, whatever is in it
    try:
        return Image.open(io.BytesIO(_archive(archive).read(member)))
    except KeyError:
        raise FileNotFoundError(member) from None


def _archive(path: str) -> zipfile.ZipFile:
    """The open archive, one per thread: reading its directory again for each image would be slow."""
    opened: dict[str, zipfile.ZipFile] = _archives.__dict__.setdefault("opened", {})
    if path not in opened:
        opened[path] = zipfile.ZipFile(path)
    return opened[path]


def _from_array(array: NDArray[Any]) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ValueError(f"an array of shape {array.shape}; (height, width), or with 3 or 4 channels, is expected")
    if array.dtype != np.uint8:
        raise ValueError(f"an array of {array.dtype}; uint8 (0 to 255) is expected")
    return Image.fromarray(array)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as RGB: transparency over white, 16-bit and float gray scaled to 8 bits."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Gray of more than 8 bits: 16-bit values divided by 257, floats in [0, 1] multiplied by 255."""
    values = np.asarray(image, dtype=np.float64)
    if image.mode == "F":
        scaled = values * 255 if values.size and values.max() <= 1 else values
    else:
        scaled = values / 257 if values.size and values.max() > 255 else values
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


class ImagesColumn(Column):
    """Resized images as bytes, each distinct one once; normalised when gathered."""

    def __init__(self, pixels: Tensor, index: Tensor, *, mean: Tensor, std: Tensor) -> None:
        self.pixels = pixels  # (I, C, height, width) uint8
        self.index = index  # (examples, S) int64
        self.mean, self.std = mean, std  # (C,)

    def __len__(self) -> int:
        return self.index.shape[0]

    def gather(self, examples: Tensor) -> batch.Images:
        """(B,) -> Images of (I, C, height, width), values (pixel / 255 - mean) / std."""
        rows, index = distinct_rows(self.index[examples])
        scale, shift = 1 / (255 * self.std), -self.mean / self.std
        values = self.pixels[rows].float() * scale[:, None, None] + shift[:, None, None]
        return batch.Images(pixel_values=values, index=index)


RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
IN_MEMORY = 2**31  # bytes of pixels; more are kept in a temporary file


class Preprocess(Preprocessor):
    """Images -> `size` x `size` pixels, normalised by `mean` and `std` (ViT's by default).

    `keep_shape` keeps the proportions: the shorter side becomes `size` and the middle is cut out. Otherwise the image
    is stretched. `channels` are always red, green, blue. `processor` is a model of transformers, a folder or a name on
    the Hub, whose `preprocessor_config.json` says size, mean, std and resampling instead; what it says is kept, so
    that the model is not needed again.
    """

    stream: ClassVar[str] = "images"
    role: ClassVar[str] = "images"

    def __init__(
        self,
        *,
        size: int = 224,
        keep_shape: bool = False,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.5, 0.5, 0.5),
        resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear",
        processor: str = "",
    ) -> None:
        if size < 1:
            raise ValueError(f"size is {size}: at least 1 pixel is needed")
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f"mean {list(mean)} and std {list(std)}: three numbers each, std above 0, are needed")
        self.options: dict[str, Any] = {
            "size": size,
            "keep_shape": keep_shape,
            "mean": [float(m) for m in mean],
            "std": [float(s) for s in std],
            "resample": resample,
            "processor": processor,
        }

    @property
    def facts(self) -> dict[str, int]:
        return {"image_size": self.options["size"]}

    def fit(self, examples: Sequence[Example]) -> Self:
        """Take over what the `processor` says; there is nothing else to learn."""
        if self.options["processor"]:
            self.options |= {**processor_options(self.options["processor"]), "processor": ""}
        return self

    def encode(self, examples: Sequence[Example]) -> ImagesColumn:
        distinct = DistinctImages(examples)
        size = self.options["size"]
        pixels = _room((len(distinct.values), size, size, 3))
        bad: dict[int, str] = {}
        for i, (value, _) in enumerate(track(distinct.values, len(distinct.values), "images")):
            try:
                pixels[i] = np.asarray(self.resize(open_image(value)))
            except DataError as error:
                bad[i] = str(error)
        raise_rows(distinct.errors(bad))
        return ImagesColumn(
            torch.from_numpy(pixels).permute(0, 3, 1, 2),  # a view: there may be more of them than memory
            distinct.index,
            mean=torch.tensor(self.options["mean"]),
            std=torch.tensor(self.options["std"]),
        )

    def resize(self, image: Image.Image) -> Image.Image:
        """The image at the size that the encoder takes."""
        size = (self.options["size"], self.options["size"])
        method = RESAMPLING[self.options["resample"]]
        if self.options["keep_shape"]:
            return ImageOps.fit(image, size, method=method)
        return image.resize(size, method)

    def save(self, folder: Path) -> None:
        record = {"stream": self.stream, "options": self.options}
        (folder / "preprocess.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(**json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))["options"])


def processor_options(source: str) -> dict[str, Any]:
    """Options that `preprocessor_config.json` of a model of transformers says: size, mean, std, resample.

    The image is still stretched to the size, or cut as `keep_shape` says. Raises `DataError` when there is none, or
    when it scales pixels otherwise than to [0, 1].
    """
    name = "preprocessor_config.json"
    file = Path(source) / name
    if not file.is_file():
        file = _from_hub(source, name)
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        given = said.get("crop_size") or said["size"]
        size = given if isinstance(given, int) else given.get("height") or given["shortest_edge"]
        normalised = said.get("do_normalize", True)
        resample = {int(method): known for known, method in RESAMPLING.items()}[int(said.get("resample", 2))]
        mean, std = (said["image_mean"], said["image_std"]) if normalised else ([0.0] * 3, [1.0] * 3)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{file} does not say size, image_mean, image_std and resample ({error})") from error
    if abs(said.get("rescale_factor", 1 / 255) - 1 / 255) > 1e-6:
        raise DataError(f"{file} scales pixels by {said['rescale_factor']}; only 1/255 is known here")
    return {"size": int(size), "mean": list(map(float, mean)), "std": list(map(float, std)), "resample": resample}


def _from_hub(source: str, name: str) -> Path:
    from transformers.utils import cached_file

    try:
        found = cached_file(source, name)
    except OSError as error:
        raise DataError(f"no {name} in the folder or model {source!r}: {error}") from error
    return Path(str(found))


def _room(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An array to be filled: in memory, or in a temporary file of which the system holds what is in use."""
    if math.prod(shape) <= IN_MEMORY:
        return np.empty(shape, dtype=np.uint8)
    with tempfile.TemporaryFile() as file:  # it lives as long as the array
        return np.memmap(file, np.uint8, "w+", shape=shape)
