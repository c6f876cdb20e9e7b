"""Batches of which a part is hidden, with what was hidden as targets: sentences exchanged, words and regions masked
(LXMERT, section 3.1; sheet, section 5).

Every draw is a function of (seed, epoch, example, place), see `draws`: the same whatever the batch, the process or a
resume in between, new in each epoch, and fixed on held-out data. Targets are keyed by head, `IGNORE` where nothing is
asked; "<head>_weight" is what each place counts for in the head's loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chiasm.batch import Batch, Regions, Text
from chiasm.data.answers import SparseColumn
from chiasm.data.columns import Column, EncodedDataset
from chiasm.data.distinct import DistinctImages
from chiasm.data.draws import below, uniform
from chiasm.data.example import DataError, Example
from chiasm.data.text import TextColumn
from chiasm.data.vocabulary import IGNORE

Positions = NDArray[np.int64]
KEPT, RANDOM = 0.9, 0.8  # of the hidden places the shares from which on they are kept, or something else is put there


@dataclass(frozen=True)
class Hiding:
    """What is hidden, and what that counts for."""

    heads: tuple[str, ...]  # whose targets are made
    share: float = 0.15  # of the words and of the regions
    regions: Literal["80_10_10", "zero"] = "80_10_10"  # hidden features: as words, or all zero
    visual_loss_on: Literal["all", "masked"] = "all"  # whose class is asked
    visual_loss_confidence: bool = True  # a class counts as much as the detector was sure of it
    answers_from_epoch: int = 10  # epochs before in which questions' answers are not asked
    answer_weight: float = 2.0  # what an answer counts for from then on; 1 on held-out data


@dataclass(frozen=True)
class NamedRegions:
    """Class and attribute of the regions of each distinct image, -1 unknown, and the image of each example."""

    objects: Tensor  # (I, R) int64
    attributes: Tensor  # (I, R) int64
    image: Tensor  # (examples,) int64

    def gather(self, examples: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """(B,) -> (B, `size`) twice: padded or cut like the regions."""
        rows = self.image[examples]
        return _sized(self.objects[rows], size), _sized(self.attributes[rows], size)


class HiddenDataset(EncodedDataset):
    """Sentences with images, of which `batch` hides a part. `answers` holds each example's scores over the table.

    Without a regions stream only words are hidden.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        streams: Mapping[str, Column],
        answers: SparseColumn | None,
        hiding: Hiding,
        named: NamedRegions | None = None,
    ) -> None:
        super().__init__(examples, streams, {})
        text = streams.get("text")
        if not isinstance(text, TextColumn) or text.mask_id is None:
            raise DataError("hiding words needs a [text] section whose tokenizer has a piece for hidden ones ([MASK])")
        self.text, self.hiding, self.answers, self.named = text, hiding, answers, named
        self._answers = None if answers is None else _Sampling(answers)
        self._image: Positions | None = None
        if "regions" in streams and "matched" in hiding.heads:
            self._image = DistinctImages(examples).index[:, 0].numpy()
            if len(np.unique(self._image)) < 2:
                raise DataError("sentences cannot be exchanged: all examples show one image; leave 'matched' out")

    def batch(self, positions: Tensor) -> Batch:
        """The examples at `positions`, as they are seen on this visit."""
        places = positions.numpy()
        sentences, matched = self._sentences(places)
        text = self.text.gather(torch.from_numpy(sentences))
        text, words = self._hide_words(text, places)
        targets: dict[str, Tensor] = {"words": words, "matched": torch.from_numpy(matched.astype(np.int64))}
        streams: dict[str, Any] = {"text": text}
        if "regions" in self.streams:
            regions, visual = self._hide_regions(_one_for_each(self._regions(positions)), positions)
            streams["regions"] = regions
            targets |= visual
        if self._answers is not None:
            targets |= self._asked(places, matched)
        wanted = {key: t for key, t in targets.items() if key.removesuffix("_weight") in self.hiding.heads}
        return Batch(**streams, targets=wanted, ids=tuple(self.examples[i].id for i in places.tolist()))

    def _draw(self, purpose: str, *counters: Any) -> NDArray[np.float64]:
        """Numbers in [0, 1) for this visit."""
        return uniform(purpose, *self._visit, *counters)

    @property
    def _visit(self) -> tuple[int, ...]:
        """What tells this visit from others: 0 on held-out data."""
        return (0,) if self.visit is None else (1, *self.visit)

    def _sentences(self, places: Positions) -> tuple[Positions, NDArray[np.bool_]]:
        """(B,) -> whose sentence each example shows, and whether it is its own.

        With probability 1/2 it is a random one of another image, drawn again while it is of the same image.
        """
        if self._image is None:
            return places, np.ones(len(places), dtype=bool)
        matched = self._draw("match", places) >= 0.5
        sentences, attempt = places.copy(), 0
        left = ~matched
        while left.any():
            other = below(len(self), "sentence", *self._visit, places, attempt)
            sentences = np.where(left, other, sentences)
            left &= self._image[sentences] == self._image[places]
            attempt += 1
        return sentences, matched

    def _hide_words(self, text: Text, places: Positions) -> tuple[Text, Tensor]:
        """The text with 15 % of its words hidden, and (B, T) the original pieces there.

        Of the hidden ones 80 % become [MASK], 10 % any piece of the vocabulary, 10 % stay. [CLS] and [SEP] stay.
        """
        real = text.attention_mask
        length = real.sum(1, keepdim=True)
        steps = torch.arange(real.shape[1])
        words = real & (steps > 0) & (steps < length - 1)
        chosen, kind = self._chosen("word", words, places)
        random = below(self.text.vocab_size, "piece", *self._visit, places[:, None], steps.numpy())
        assert self.text.mask_id is not None
        ids = torch.where(chosen & (kind < RANDOM), self.text.mask_id, text.input_ids)
        ids = torch.where(chosen & (kind >= RANDOM) & (kind < KEPT), torch.from_numpy(random), ids)
        return replace(text, input_ids=ids), torch.where(chosen, text.input_ids, IGNORE)

    def _chosen(self, purpose: str, real: Tensor, places: Positions) -> tuple[Tensor, Tensor]:
        """(B, P) bool -> which places are hidden, and (B, P) in [0, 1): what becomes of them."""
        draw = self._draw(purpose, places[:, None], np.arange(real.shape[1]))
        kind = torch.from_numpy(draw / self.hiding.share)
        return real & (kind < 1), kind

    def _regions(self, positions: Tensor) -> Regions:
        regions = self.streams["regions"].gather(positions)
        assert isinstance(regions, Regions)
        return regions

    def _hide_regions(self, regions: Regions, positions: Tensor) -> tuple[Regions, dict[str, Tensor]]:
        """The regions with 15 % of their features hidden, and the visual targets. Boxes stay.

        # Differs: the paper only zeroes features (`regions = "zero"`); the released code, the default, puts a random
        region's features in 10 % of the hidden places and keeps 10 %.
        """
        real = regions.attention_mask
        if real is None:
            real = torch.ones(regions.boxes.shape[:2], dtype=torch.bool)
        chosen, kind = self._chosen("region", real, positions.numpy())
        features = regions.features.clone()
        as_words = self.hiding.regions == "80_10_10"
        features[chosen & (kind < RANDOM) if as_words else chosen] = 0
        if as_words:
            self._put_others(features, chosen & (kind >= RANDOM) & (kind < KEPT), positions.numpy())
        targets = self._visual_targets(regions, real, chosen, positions)
        return replace(regions, features=features), targets

    def _put_others(self, features: Tensor, where: Tensor, places: Positions) -> None:
        """Features of random regions of random examples, in place."""
        rows, slots = (index.numpy() for index in where.nonzero(as_tuple=True))
        if not len(rows):
            return
        other = torch.from_numpy(below(len(self), "other", *self._visit, places[rows], slots))
        regions = _one_for_each(self._regions(other))
        counts = _counts(regions).clamp(min=1).numpy()
        slot = below(counts, "slot", *self._visit, places[rows], slots)
        features[where] = regions.features[torch.arange(len(rows)), torch.from_numpy(slot)]

    def _visual_targets(self, regions: Regions, real: Tensor, chosen: Tensor, positions: Tensor) -> dict[str, Tensor]:
        """Class, attribute and features of each region, with what each counts for: 1 / share, so that a mean over
        all regions has the size of one over the hidden ones."""
        scale = 1 / self.hiding.share
        targets = {"features": regions.features, "features_weight": chosen * scale}
        asked = chosen if self.hiding.visual_loss_on == "masked" else real
        for head, (labels, sure) in self._labels(regions, positions).items():
            weight = (asked & (labels >= 0)) * scale
            if self.hiding.visual_loss_confidence and sure is not None:
                weight = weight * sure
            targets |= {head: labels, f"{head}_weight": weight}
        return targets

    def _labels(self, regions: Regions, positions: Tensor) -> dict[str, tuple[Tensor, Tensor | None]]:
        """Head -> (B, R) classes, and the detector's confidences if it gave any."""
        if self.named is not None:
            objects, attributes = self.named.gather(positions, regions.boxes.shape[1])
            return {"objects": (objects, None), "attributes": (attributes, None)}
        found = {
            "objects": (regions.labels, regions.confidences),
            "attributes": (regions.attributes, regions.attribute_confidences),
        }
        missing = [head for head, (labels, _) in found.items() if labels is None and head in self.hiding.heads]
        if missing:
            raise DataError(
                f"the regions have no detected {', '.join(missing)}: make the feature store anew from files with them, "
                "leave these losses out, or set labels = 'named' for regions that are named by scene graphs"
            )
        return {head: (labels, sure) for head, (labels, sure) in found.items() if labels is not None}

    def _asked(self, places: Positions, matched: NDArray[np.bool_]) -> dict[str, Tensor]:
        """ "answer": of several one is drawn by its score; none for mismatched sentences."""
        assert self._answers is not None
        answer = self._answers.draw(places, self._draw("answer", places))
        answer = np.where(matched, answer, IGNORE)
        weight = 1.0
        if self.visit is not None:
            _, epoch = self.visit
            weight = self.hiding.answer_weight if epoch >= self.hiding.answers_from_epoch else 0.0
        return {
            "answer": torch.from_numpy(answer),
            "answer_weight": torch.from_numpy(np.where(answer == IGNORE, 0.0, weight).astype(np.float32)),
        }


class _Sampling:
    """Draws one answer of each row of a sparse column, with probability score / sum of the row's scores."""

    def __init__(self, column: SparseColumn) -> None:
        self.labels, self.offsets = column.labels.numpy(), column.offsets.numpy()
        self.sums = np.concatenate([[0.0], column.scores.numpy().astype(np.float64).cumsum()])

    def draw(self, rows: Positions, u: NDArray[np.float64]) -> Positions:
        """(B,), (B,) in [0, 1) -> (B,) labels, `IGNORE` for rows without one."""
        start, stop = self.offsets[rows], self.offsets[rows + 1]
        wanted = self.sums[start] + u * (self.sums[stop] - self.sums[start])
        place = np.searchsorted(self.sums, wanted, side="right") - 1
        place = np.clip(place, start, np.maximum(stop - 1, start))
        some = stop > start
        return np.where(some, self.labels[np.where(some, place, 0)] if len(self.labels) else IGNORE, IGNORE)


def _one_for_each(regions: Regions) -> Regions:
    """Regions with one row for each example, so that each can be hidden by itself. Several images are refused."""
    if regions.index is None:
        return regions
    if regions.index.shape[1] != 1:
        raise DataError(f"examples with {regions.index.shape[1]} images cannot be hidden: one image is expected")
    rows = regions.index[:, 0]
    return replace(replace(regions, index=None).map(lambda tensor: tensor[rows]), index=None)


def _counts(regions: Regions) -> Tensor:
    """(B,): real regions of each image."""
    if regions.attention_mask is None:
        return torch.full((regions.boxes.shape[0],), regions.boxes.shape[1])
    return regions.attention_mask.sum(1)


def _sized(labels: Tensor, size: int) -> Tensor:
    """(B, R) -> (B, `size`), cut or padded with `IGNORE`."""
    if labels.shape[1] >= size:
        return labels[:, :size]
    return torch.nn.functional.pad(labels, (0, size - labels.shape[1]), value=IGNORE)
