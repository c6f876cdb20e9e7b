"""`detector`: any object detector of `transformers` (DETR, RT-DETR, YOLOS, ...), local or from the Hub.

image -> backbone map -> encoder, decoder -> for each query: class scores, box, vector
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from chiasm.data.example import DataError
from chiasm.data.extractors import Boxes, Extraction, check_boxes
from chiasm.data.extractors._pretrained import Pretrained

POOLS = ("query", "roi")
POINTS = 7  # samples along each side of a box, as Faster R-CNN's RoI pooling has bins


class Extract(Pretrained):
    """The `regions` most confident detections, or of them those of at least `threshold`; always at least one.

    The vector of a region is, by `pool`:

    - "query": the decoder's last hidden state of the query that found it: what the class and box were read from
    - "roi": the mean of 7 x 7 bilinear samples of the backbone's last map inside its box, as bottom-up attention pools;
      then the boxes of a row, where it has some, take the place of detections

    A detection's confidence is the probability of its likeliest class: a softmax where the model has a class for
    "nothing", else a sigmoid. It has one region per query; overlapping ones are not suppressed, these models need none.
    """

    name: ClassVar[str] = "detector"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        *,
        model: str = "",  # a folder, or a name on the Hub
        revision: str = "",
        regions: int = 36,
        threshold: float = 0.0,
        pool: str = "query",
        device: str = "cpu",
        batch_size: int = 8,
    ) -> None:
        from transformers import AutoModelForObjectDetection

        if regions < 1 or not 0 <= threshold < 1:
            raise ValueError(f"regions {regions} must be at least 1, and threshold {threshold} in [0, 1)")
        if pool not in POOLS:
            raise ValueError(f"pool is {pool!r}; {' or '.join(POOLS)} is expected")
        options = {"model": str(model), "revision": revision, "regions": regions, "threshold": threshold, "pool": pool}
        super().__init__(AutoModelForObjectDetection, {**options, "device": device, "batch_size": batch_size})
        config: Any = self.model.config
        self.label_names = tuple(config.id2label[i] for i in range(config.num_labels))
        self._backbone = find_backbone(self.model) if pool == "roi" else None

    @property
    def feature_size(self) -> int:
        if self._backbone is not None:
            return int(self._backbone.channels[-1])  # type: ignore[index]
        config: Any = self.model.config
        return int(getattr(config, "d_model", None) or config.hidden_size)

    def run(self, pixels: Tensor, images: Sequence[tuple[Image.Image, Boxes]]) -> list[Extraction]:
        with _last_map(self._backbone) as maps:
            output: Any = self.model(pixel_values=pixels)
        scores, labels = class_scores(output.logits, len(self.label_names)).max(-1)
        boxes = corners(output.pred_boxes)
        vectors = output.last_hidden_state[:, -boxes.shape[1] :]  # YOLOS's patches stand before its queries
        found = []
        for place, (image, given) in enumerate(images):
            if given is not None and maps:
                found.append(self._of_given(maps[0][place], given, image))
                continue
            kept = self._kept(scores[place])
            vector = vectors[place, kept] if not maps else roi_mean(maps[0][place], boxes[place, kept])
            found.append(
                Extraction(
                    vector.cpu().numpy(),
                    boxes[place, kept].cpu().numpy(),
                    labels[place, kept].cpu().numpy(),
                    scores[place, kept].cpu().numpy(),
                )
            )
        return found

    def _kept(self, scores: Tensor) -> Tensor:
        """(Q,) -> the places of the detections to keep, the most confident first."""
        order = scores.argsort(descending=True, stable=True)[: self.options["regions"]]
        good = order[scores[order] >= self.options["threshold"]]
        return good if len(good) else order[:1]

    def _of_given(self, feature_map: Tensor, given: Boxes, image: Image.Image) -> Extraction:
        """The vectors of boxes that are known. No class is known for them."""
        pixels = check_boxes(given or [[0, 0, image.width, image.height]], image.width, image.height)
        shares = (pixels / [image.width, image.height, image.width, image.height]).astype(np.float32)
        vectors = roi_mean(feature_map, torch.from_numpy(shares).to(feature_map.device))
        return Extraction(vectors.cpu().numpy(), shares)


def class_scores(logits: Tensor, num_labels: int) -> Tensor:
    """(B, Q, C) logits -> (B, Q, num_labels) probabilities. One logit more than labels is the class "nothing", last."""
    if logits.shape[-1] == num_labels + 1:
        return logits.softmax(-1)[..., :-1]
    return logits.sigmoid()


def corners(boxes: Tensor) -> Tensor:
    """(..., 4) centre x, centre y, width, height -> x1, y1, x2, y2; both shares of the image, cut off at its edges."""
    x, y, width, height = boxes.unbind(-1)
    found = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dim=-1)
    return found.clamp(0, 1)


def roi_mean(feature_map: Tensor, boxes: Tensor, *, points: int = POINTS) -> Tensor:
    """(C, h, w), (R, 4) in [0, 1] -> (R, C): the mean of `points` x `points` bilinear samples spread over each box."""
    steps = (torch.arange(points, device=boxes.device, dtype=boxes.dtype) + 0.5) / points
    x = boxes[:, 0:1] + (boxes[:, 2:3] - boxes[:, 0:1]) * steps  # (R, points)
    y = boxes[:, 1:2] + (boxes[:, 3:4] - boxes[:, 1:2]) * steps
    grid = torch.stack([x[:, None, :].expand(-1, points, -1), y[:, :, None].expand(-1, -1, points)], dim=-1)
    flat = (grid * 2 - 1).reshape(1, -1, points, 2)  # (1, R points, points, 2) in [-1, 1]
    sampled = F.grid_sample(feature_map[None], flat, padding_mode="border", align_corners=False)
    return sampled[0].unflatten(1, (-1, points)).mean(dim=(2, 3)).T  # (C, R, points, points) -> (R, C)


def find_backbone(model: nn.Module) -> nn.Module:
    """The part of a detector that makes feature maps. Raises `DataError` when it has none (YOLOS)."""
    for module in model.modules():
        if hasattr(module, "out_features") and hasattr(module, "channels"):
            return module
    raise DataError(f'{type(model).__name__} has no backbone that makes maps: use pool = "query"')


@contextmanager
def _last_map(backbone: nn.Module | None) -> Iterator[list[Tensor]]:
    """What the backbone's last map was inside the block, (B, C, h, w), as the only item; none without a backbone."""
    maps: list[Tensor] = []
    if backbone is None:
        yield maps
        return
    handle = backbone.register_forward_hook(lambda _, __, output: maps.append(output.feature_maps[-1]))
    try:
        yield maps
    finally:
        handle.remove()
