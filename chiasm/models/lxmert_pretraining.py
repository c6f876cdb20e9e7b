"""LXMERT's pre-training: the encoder with six heads for what was hidden (Tan & Bansal, EMNLP 2019, section 3).

    words   -> language layers --\\               /-> words      : which piece stood here (table tied to the embedding)
                                  cross layers --+-> [CLS]      : do they match? and the answer to the question
    regions -> object layers ----/               \\-> objects    : class, attribute and features of each region

Batches come from the task `lxmert_pretraining`, which hides words and regions and mismatches sentences. Its targets
are keyed by head; "<head>_weight" says what each place counts for. Scores of words and regions are computed only at
places that count. The loss of a head is its weighted sum over places divided by its number of cases: labelled words,
labelled answers, examples, and for regions *all* regions. `losses` and the task read the same per-example sums, so
that a loss over a data set is exact whatever the batches.

# Differs: the attribute head is in the released code and its weights, not in the paper's text; leave "attributes" out
of the task's `losses` for the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Output, Regions, Text
from chiasm.heads.classify import AnswerHead
from chiasm.heads.reconstruct import ObjectHead, WordHead
from chiasm.layers.initialise import initialise
from chiasm.layers.linear import Linear
from chiasm.models import CrossModalModel, Evidence
from chiasm.models import lxmert as lxmert_file
from chiasm.objectives import Objective

HEADS = ("words", "matched", "objects", "attributes", "features", "answer")  # in the order of the published logs
OF_REGIONS = ("objects", "attributes", "features")
MEASURED = "measured/"  # states: "measured/words" (B, 4), see `MEASURES`
MEASURES = ("loss", "cases", "right", "places")  # the columns: sums over one example's places
IGNORE = -1


@dataclass(frozen=True)
class Config(lxmert_file.Config):
    """LXMERT-base with the sizes of the detector's classes and of the joint answer table (`num_labels`)."""

    num_labels: int = 9500  # answers of the joint table
    num_objects: int = 1600  # detected classes
    num_attributes: int = 400


class LxmertPretraining(CrossModalModel):
    """LXMERT's encoder with its six pre-training heads. Heads without an objective stay as they were initialised."""

    streams: ClassVar[frozenset[str]] = frozenset({"text", "regions"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        unknown = sorted(set(objectives) - set(HEADS))
        if unknown:
            raise ValueError(f"LXMERT has no pre-training head {unknown[0]!r}; it has {', '.join(HEADS)}")
        blind = [head for head in OF_REGIONS if head in objectives and not config.use_images]
        if blind:
            raise ValueError(f"without images (use_images = false) there is nothing to learn about {', '.join(blind)}")
        size = config.hidden_size
        self.encoder = lxmert_file.Encoder(config)
        self.word_head = WordHead(size, config.vocab_size)
        self.matching_head = Linear(size, 2)
        sizes = {"objects": config.num_objects, "attributes": config.num_attributes, "features": config.feature_size}
        self.object_head = ObjectHead(size, sizes)
        self.answer_head = AnswerHead(size, size * 2, config.num_labels)
        initialise(self, config.initializer_range)

    def forward(self, batch: Batch) -> Output:
        """Text (B, T), Regions (I, R) -> scores "matched" (B, 2), "answer" (B, A); states "words" (B, T, D),
        "objects" (B, R, D), "pooled" (B, D), and of each head with targets "measured/<head>" (B, 4)."""
        states = self._encoded(batch)
        scores = {"matched": self.matching_head(states["pooled"]), "answer": self.answer_head(states["pooled"])}
        heads = [head for head in self.objectives if head in batch.targets]
        hidden = dict(states)
        if "objects" in states and set(heads) & set(OF_REGIONS):
            hidden["objects"] = self.object_head.transform(states["objects"])
        for head in heads:
            states[MEASURED + head] = self._measured(head, batch, scores, hidden)
        return Output(scores, states)

    def losses(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """head -> its loss on the batch, 0 when no place of it counts. Raises ValueError without targets."""
        found = {head: output.states.get(MEASURED + head) for head in self.objectives}
        missing = [head for head, sums in found.items() if sums is None]
        if missing:
            raise ValueError(f"the batch has no targets for {', '.join(missing)}: make it with the pre-training task")
        return {h: sums[:, 0].sum() / sums[:, 1].sum().clamp(min=1) for h, sums in found.items() if sums is not None}

    def get_input_embeddings(self) -> nn.Module:
        """The table of word pieces, where gradients of the text are taken."""
        return self.encoder.text_embedding.words

    def evidence(self) -> tuple[Evidence, ...]:
        """Attention of the three encoders and both cross directions, per layer and head."""
        return self.encoder.evidence("encoder.")

    def idle_parameters(self) -> frozenset[str]:
        """Heads without an objective, what only they read in the last cross layer, and frozen tables."""
        heads = set(self.objectives)
        idle = [f"object_head.outputs.{head}." for head in OF_REGIONS if head not in heads]
        idle += [] if "words" in heads else ["word_head."]
        idle += [] if "matched" in heads else ["matching_head."]
        idle += [] if "answer" in heads else ["answer_head."]
        idle += [] if heads & {"matched", "answer"} else ["encoder.pooler."]
        last = f"encoder.cross_layers.{len(self.encoder.cross_layers) - 1}."
        if not heads & set(OF_REGIONS):
            idle.append("object_head.")
            parts = ("regions_self_attention.", "regions_feed_forward.", "cross_attention.regions_a")
            idle += [last + part for part in parts]
        if not heads - set(OF_REGIONS):
            parts = ("text_self_attention.", "text_feed_forward.", "cross_attention.text_a")
            idle += [last + part for part in parts]
        if self.config.padding_idx:
            idle.append("encoder.text_embedding.types.weight")  # type 0, the only one used, is its padding row
        return frozenset(name for name, _ in self.named_parameters() if name.startswith(tuple(idle)))

    def _encoded(self, batch: Batch) -> dict[str, Tensor]:
        """The encoder's states: "words", "pooled", and with images "objects"."""
        text, regions = self._checked(batch)
        if regions is None:
            words = self.encoder.language(text)
            return {"words": words, "pooled": self.encoder.pooler(words)}
        words, objects, pooled = self.encoder(text, regions)
        return {"words": words, "objects": objects, "pooled": pooled}

    def _measured(self, head: str, batch: Batch, scores: Mapping[str, Tensor], hidden: Mapping[str, Tensor]) -> Tensor:
        """(B, 4): the sums of one head over each example's places, as `MEASURES` names them."""
        targets, weights = batch.targets[head], batch.targets.get(f"{head}_weight")
        counts = targets != IGNORE if weights is None else weights > 0  # (B,) or (B, places)
        rows = counts.nonzero()[:, 0]  # (N,)
        if head in scores:
            given = scores[head][counts]  # (N, C)
        elif head == "words":
            given = self.word_head(hidden["words"][counts], self.get_input_embeddings().weight)
        else:
            given = self.object_head(hidden["objects"][counts], head)
        wanted = targets[counts]
        loss = self.objectives[head](given, wanted).float()
        if weights is not None:
            loss = loss * weights[counts]
        right = (given.argmax(1) == wanted) if wanted.ndim == 1 else torch.zeros_like(rows)
        sums = loss.new_zeros(len(targets), 3)
        values = torch.stack([loss, right.to(loss.dtype), torch.ones_like(loss)], 1)
        sums = sums.index_add(0, rows, values)
        cases = _regions_of_each(batch).to(loss.dtype) if head in OF_REGIONS else sums[:, 2]
        return torch.stack([sums[:, 0], cases, sums[:, 1], sums[:, 2]], 1)

    def _checked(self, batch: Batch) -> tuple[Text, Regions | None]:
        """The streams, after a check that they are what this model was built for."""
        if batch.text is None:
            raise ValueError("LXMERT needs a text stream; add a [text] section to the recipe")
        if not self.config.use_images:
            return batch.text, None
        if batch.regions is None:
            raise ValueError("LXMERT needs a regions stream; add a [regions] section to the recipe")
        return batch.text, batch.regions


Model = LxmertPretraining


def _regions_of_each(batch: Batch) -> Tensor:
    """(B,): how many real regions each example's image has."""
    regions = batch.regions
    assert regions is not None
    mask = regions.attention_mask
    if mask is None:
        mask = regions.boxes.new_ones(regions.boxes.shape[:2])
    counts = mask.sum(1)
    return counts if regions.index is None else counts[regions.index[:, 0]]
