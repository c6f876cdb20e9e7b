"""`backbone`: any image encoder of `transformers` (ViT, DINOv2, Swin, CLIP, ResNet, ...), local or from the Hub.

image -> encoder -> a map of vectors -> its patches, a coarser grid, or the whole image as one region
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from chiasm.data.example import DataError
from chiasm.data.extractors import Boxes, Extraction, cell_boxes
from chiasm.data.extractors._pretrained import Pretrained

PARTS = ("patches", "grid", "whole")


class Extract(Pretrained):
    """The vectors of the last layer, before any head. Boxes of the row are not looked at.

    `part` is "patches" (each position of the last layer's map, line by line), "grid" (the map averaged over `rows` x
    `columns` cells) or "whole" (one region: the class token where the encoder has one, else the mean of the map).
    """

    name: ClassVar[str] = "backbone"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        *,
        model: str = "",  # a folder, or a name on the Hub
        revision: str = "",
        part: str = "patches",
        rows: int = 6,  # of "grid"
        columns: int = 6,
        device: str = "cpu",
        batch_size: int = 16,
    ) -> None:
        from transformers import AutoModel

        if part not in PARTS:
            raise ValueError(f"part is {part!r}; {', '.join(PARTS)} are known")
        if min(rows, columns) < 1:
            raise ValueError(f"rows {rows} and columns {columns} must be at least 1")
        size = {"rows": rows, "columns": columns} if part == "grid" else {}
        options = {"model": str(model), "revision": revision, "part": part, **size}
        super().__init__(AutoModel, {**options, "device": device, "batch_size": batch_size}, may_lack=("pooler.",))
        # Models of images and texts (CLIP) hold the image encoder as a part.
        self._encoder: Any = getattr(self.model, "vision_model", self.model)
        self._config: Any = getattr(self.model.config, "vision_config", self.model.config)

    @property
    def feature_size(self) -> int:
        sizes = getattr(self._config, "hidden_sizes", None)
        return int(sizes[-1] if sizes else self._config.hidden_size)

    def run(self, pixels: Tensor, images: Sequence[tuple[Image.Image, Boxes]]) -> list[Extraction]:
        summary, feature_map = self._read(pixels)  # (B, D) or None, (B, D, h, w)
        if self.options["part"] == "whole":
            feature_map = (feature_map.mean((2, 3)) if summary is None else summary)[:, :, None, None]
        elif self.options["part"] == "grid":
            feature_map = F.adaptive_avg_pool2d(feature_map, (self.options["rows"], self.options["columns"]))
        boxes = cell_boxes(*feature_map.shape[2:])
        vectors = feature_map.flatten(2).transpose(1, 2).cpu().numpy()  # (B, h w, D)
        return [Extraction(vector, boxes) for vector in vectors]

    def _read(self, pixels: Tensor) -> tuple[Tensor | None, Tensor]:
        """(B, 3, height, width) -> the class token's vector (B, D), where there is one, and the map (B, D, h, w)."""
        hidden: Tensor = self._encoder(pixel_values=pixels).last_hidden_state
        if hidden.ndim == 4:
            return None, hidden
        size = getattr(self._config, "patch_size", 0)
        patch = size if isinstance(size, int) else size[0]
        height, width = (side // patch if patch else 0 for side in pixels.shape[2:])
        length = hidden.shape[1]
        if not 0 < height * width <= length:  # Swin merges patches: what is left is a smaller square, without more
            height = width = round(length**0.5)
            if height * width != length:
                raise DataError(f"{length} vectors of an image of {tuple(pixels.shape[2:])} pixels make no map")
        extra = length - height * width  # the class token, and registers after it
        feature_map = hidden[:, extra:].transpose(1, 2).unflatten(2, (height, width))
        return (hidden[:, 0] if extra else None), feature_map
