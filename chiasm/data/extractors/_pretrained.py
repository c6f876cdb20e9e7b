"""What extractors of published weights share: loading them, telling who they are, images of one size together."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from chiasm.data.example import DataError
from chiasm.data.extractors import FOLDER, Boxes, Extraction, Extractor, ExtractorIdentity, parameters_hash
from chiasm.data.extractors._preparation import Preparation

PLACES = ("model", "revision", "device", "batch_size")  # options that change no feature


class Pretrained(Extractor):
    """A model of `transformers` from a local folder or a name on the Hub, and how it wants its images.

    Who it is, is told by its weights: the same weights at another place have the same identity. Images are put into one
    batch only when they have one size, so that padding cannot change what is found.
    """

    preparation: Preparation

    def __init__(self, loader: Any, options: dict[str, Any], *, may_lack: Sequence[str] = ()) -> None:
        self.options = options
        self.batch_size = int(options["batch_size"])
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}: at least 1 is needed")
        name, revision = str(options["model"]), options["revision"] or None
        if not name:
            raise ValueError("model is missing: a folder with a model of `transformers`, or its name on the Hub")
        self.preparation = Preparation.load(name, revision)
        self.model = load(loader, name, revision, may_lack=may_lack).to(options["device"])
        self.weights = weights_hash(self.model)

    @property
    def identity(self) -> ExtractorIdentity:
        """Its name with the kind of model; the hash covers options, weights and preparation."""
        kind = str(self.model.config.model_type)  # type: ignore[union-attr]
        known = {key: value for key, value in self.options.items() if key not in PLACES}
        known |= {"weights": self.weights, "preparation": self.preparation.to_json()}
        return ExtractorIdentity(f"{self.name} {kind}", self.version, parameters_hash(known), self.feature_size)

    def batch_key(self, width: int, height: int) -> tuple[int, int]:
        return self.preparation.size(width, height)

    def __call__(self, image: Image.Image, boxes: Boxes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        (found,) = self.extract([(image, boxes)])
        return found.features, found.boxes

    def extract(self, images: Sequence[tuple[Image.Image, Boxes]]) -> list[Extraction]:
        keys = [self.batch_key(image.width, image.height) for image, _ in images]
        order = sorted(range(len(images)), key=lambda i: (keys[i], i))
        found: dict[int, Extraction] = {}
        for _, group in groupby(order, key=lambda i: keys[i]):
            places = list(group)
            pixels = torch.from_numpy(np.stack([self.preparation(images[i][0]) for i in places]))
            with torch.inference_mode():
                results = self.run(pixels.to(self.options["device"]), [images[i] for i in places])
            found.update(zip(places, results, strict=True))
        return [found[i] for i in range(len(images))]

    @abstractmethod
    def run(self, pixels: Tensor, images: Sequence[tuple[Image.Image, Boxes]]) -> list[Extraction]:
        """(B, 3, height, width) prepared images of one size, and the images themselves -> their regions."""

    def save(self, folder: Path) -> dict[str, Any]:
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(folder)  # type: ignore[operator]
        self.preparation.save(folder)
        return {**self.options, "model": FOLDER, "revision": "", "device": "cpu"}


def load(loader: Any, name: str, revision: str | None, *, may_lack: Sequence[str] = ()) -> nn.Module:
    """The model in evaluation mode, float32. Raises `DataError` when it cannot be loaded whole.

    `may_lack` are the beginnings of names of weights that are not used and may be absent.
    """
    try:
        model, report = loader.from_pretrained(name, revision=revision, output_loading_info=True)
    except ImportError as error:
        raise DataError(
            f"{name} needs a package that is not installed ({_line(error)}); "
            "models on the Hub that need timm often have a revision without it, such as no_timm"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{name} cannot be loaded: {_line(error)}") from error
    lacking = [key for key in report["missing_keys"] if not key.startswith(tuple(may_lack))]
    lacking += [str(key) for key in report["mismatched_keys"]]
    if lacking:
        raise DataError(f"{name} lacks {len(lacking)} weights of a {type(model).__name__}, such as {lacking[0]}")
    whole: nn.Module = model.float().eval()
    return whole.requires_grad_(False)


def weights_hash(model: nn.Module) -> str:
    """Sixteen hex digits that change with any weight."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
    return digest.hexdigest()[:16]


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
