"""Regions of many images one after another in flat tensors, in memory or memory-mapped, and their padded batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from chiasm.batch import Regions


@dataclass(frozen=True)
class FlatRegions:
    """The regions of I images: those of image i are rows `offsets[i]` to `offsets[i + 1]` of the flat tensors."""

    features: Tensor  # (all regions, F) float32 or float16
    boxes: Tensor  # (all regions, 4) float32
    offsets: Tensor  # (I + 1,) int64
    same_count: int | None = None  # how many regions every image has, when they all have as many
    labels: Tensor | None = None  # (all regions,) int64
    confidences: Tensor | None = None  # (all regions,) float32
    attributes: Tensor | None = None  # (all regions,) int64
    attribute_confidences: Tensor | None = None  # (all regions,) float32

    def __len__(self) -> int:
        return self.offsets.shape[0] - 1

    def counts(self, rows: Tensor) -> Tensor:
        """(I',) rows -> (I',) how many regions each image has."""
        return self.offsets[rows + 1] - self.offsets[rows]

    def gather(self, rows: Tensor, *, max_regions: int | None = None) -> Regions:
        """(I',) rows -> Regions of (I', R, F), float32, at most the first `max_regions` of each image."""
        if self.same_count and (max_regions is None or self.same_count <= max_regions):
            return self._gather_even(rows, self.same_count)
        start, count = self.offsets[rows], self.counts(rows)
        if max_regions is not None:
            count = count.clamp(max=max_regions)
        steps = torch.arange(max(int(count.max()) if len(rows) else 0, 1))
        mask = steps < count[:, None]  # (I', R)
        places = (start[:, None] + steps).masked_fill_(~mask, 0).reshape(-1)
        padding = None if bool(mask.all()) else (~mask).reshape(-1)

        def pick(values: Tensor | None, fill: float) -> Tensor | None:
            if values is None:
                return None
            if not len(values):
                return values.new_full((*mask.shape, *values.shape[1:]), fill)
            chosen = values.index_select(0, places)
            if padding is not None:
                chosen[padding] = fill
            return chosen.unflatten(0, mask.shape)

        features, boxes = pick(self.features, 0), pick(self.boxes, 0)
        assert features is not None
        assert boxes is not None
        return Regions(
            features=features.float(),  # torch converts float16 15 times as fast as numpy does
            boxes=boxes,
            attention_mask=None if padding is None else mask,
            labels=pick(self.labels, -1),
            confidences=pick(self.confidences, 0),
            attributes=pick(self.attributes, -1),
            attribute_confidences=pick(self.attribute_confidences, 0),
        )

    def _gather_even(self, rows: Tensor, count: int) -> Regions:
        """The same for images that all have `count` regions: whole images are copied, and there is no padding."""

        def pick(values: Tensor | None) -> Tensor | None:
            return None if values is None else values.unflatten(0, (-1, count)).index_select(0, rows)

        features, boxes = pick(self.features), pick(self.boxes)
        assert features is not None
        assert boxes is not None
        return Regions(
            features=features.float(),
            boxes=boxes,
            labels=pick(self.labels),
            confidences=pick(self.confidences),
            attributes=pick(self.attributes),
            attribute_confidences=pick(self.attribute_confidences),
        )
