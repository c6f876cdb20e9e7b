"""LXMERT: learning cross-modality encoder representations from transformers (Tan & Bansal, EMNLP 2019).

    words   -> TextEmbedding   -> language layers ------\\
                                                         cross layers -> [CLS] -> pooler -> answer head
    regions -> RegionEmbedding -> object layers --------/

An example may have several images (NLVR2 has two): each (text, image) pair passes the cross layers on its own, and
the pooled states of one example are concatenated before the head. Texts and images are encoded once per distinct
row, however many examples share them.

# Differs: in these points the paper's text and the released code disagree; the default is the code, which made the
published tables, and an option gives the other (sheet `lxmert`, section 3).
- `shared_cross_attention`: one set of weights serves both directions; the paper's notation suggests two.
- `padding_idx`: row 0 of the word, position and type tables is frozen, so the position of [CLS] is never trained.
- the pooled output passes a tanh layer, as BERT's; the paper says "[CLS] feature vector".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Output, Regions, States, Text
from chiasm.encoders.lengths import fewest_texts, length_groups, trimmed
from chiasm.encoders.regions import RegionEmbedding
from chiasm.encoders.text import TextEmbedding
from chiasm.fusion.cross import CrossModalityLayer, SeparateCrossAttention, SharedCrossAttention
from chiasm.heads.classify import AnswerHead, Pooler
from chiasm.layers.initialise import initialise
from chiasm.layers.recording import is_recording, paused
from chiasm.layers.stack import Stack
from chiasm.layers.transformer import TransformerLayer
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective

LARGE_GROUP = 64  # texts: a batch of answers should hold several groups


@dataclass(frozen=True)
class Config:
    """LXMERT-base by default: 9 language, 5 object and 5 cross layers of BERT-base's size."""

    vocab_size: int = 30522  # word pieces
    feature_size: int = 2048  # of a region's feature vector
    num_labels: int = 2  # answers
    num_images: int = 1  # images per example
    hidden_size: int = 768
    num_attention_heads: int = 12
    intermediate_size: int = 3072  # inner size of the feed-forward networks
    language_layers: int = 9
    object_layers: int = 5
    cross_layers: int = 5
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    shared_cross_attention: bool = True
    padding_idx: bool = True  # freeze row 0 of the embedding tables, as the released code does
    use_images: bool = True  # False: the question-only baseline, the same text encoder without cross layers
    use_text: bool = True  # False: the image-only baseline, of whose text only [CLS] is left
    initializer_range: float = 0.02

    @property
    def layer_sizes(self) -> tuple[int, int, int]:
        """What every transformer layer is built from: hidden size, heads, feed-forward size."""
        return self.hidden_size, self.num_attention_heads, self.intermediate_size


class Encoder(nn.Module):
    """The three encoders: words and regions in, language, object and pooled cross-modality states out."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.text_embedding = TextEmbedding(
            config.vocab_size,
            config.hidden_size,
            max_positions=config.max_position_embeddings,
            type_vocab_size=config.type_vocab_size,
            dropout=config.hidden_dropout,
            padding_idx=0 if config.padding_idx else None,
        )
        self.language_layers = _layers(config, config.language_layers)
        self.object_layers: Stack[TransformerLayer] = Stack()
        self.cross_layers: Stack[CrossModalityLayer] = Stack()
        if config.use_images:
            self.region_embedding = RegionEmbedding(
                config.feature_size, config.hidden_size, dropout=config.hidden_dropout
            )
            self.object_layers = _layers(config, config.object_layers)
            self.cross_layers = Stack(_cross_layer(config) for _ in range(config.cross_layers))
        self.pooler = Pooler(config.hidden_size)
        self.fewest_in_group = fewest_texts(config.hidden_size)

    def forward(self, text: Text | States, regions: Regions) -> tuple[Tensor, Tensor, Tensor]:
        """Text (B, T) or its states, Regions (I, R) -> language (B*S, T, D), objects (B*S, R, D), pooled (B*S, D)."""
        words, objects, text_mask, regions_mask = self._pairs(text, regions)
        for layer in self.cross_layers:
            words, objects = layer(words, objects, text_mask, regions_mask)
        return words, objects, self.pooler(words)

    def pooled(self, text: Text, regions: Regions) -> Tensor:
        """Text (B, T), Regions (I, R) -> (B*S, D): `forward`'s pooled output, without what it does not read.

        On a CPU without gradients texts of like length pass together, cut to their longest, and every image is encoded
        once for all of them. While evidence is recorded all texts also pass as one, for the taps.
        """
        plain = torch.is_grad_enabled() or text.input_ids.device.type != "cpu"
        groups = [] if plain else length_groups(text, self.fewest_in_group)
        if len(groups) < 2:
            return self._pooled(text, regions)
        if is_recording(self):
            self._pooled(text, regions)
            with paused(self):
                return self._pooled_by_length(groups, text, regions)
        return self._pooled_by_length(groups, text, regions)

    def states(self, text: Text) -> States:
        """Text (I, T) -> States (I, T, D): the language encoder alone, a row for each distinct text."""
        return States(self._language(text), text.attention_mask, index=text.index)

    def language(self, text: Text) -> Tensor:
        """Text (B, T) -> (B, T, D): the language encoder alone, a row for each example."""
        return _examples(self._language(text), text.index)

    def pooled_text(self, text: Text) -> Tensor:
        """Text (B, T) -> (B, D): the question-only baseline."""
        return self.pooler(self.language(text))

    def evidence(self, prefix: str) -> tuple[Evidence, ...]:
        """What the three encoders record; `prefix` is the name of this module in the model, with its dot."""
        name = {module: prefix + name for name, module in self.named_modules()}
        language = [layer.self_attention.attention.tap for layer in self.language_layers]
        objects = [layer.self_attention.attention.tap for layer in self.object_layers]
        cross = [layer for layer in self.cross_layers if isinstance(layer, CrossModalityLayer)]
        crossed = [c.regions_self_attention.attention.tap for c in cross]
        kinds = [
            ("text", "text", language, "language encoder"),
            ("regions", "regions", objects, "object encoder"),
            ("text", "regions", [c.cross_attention.text_to_regions for c in cross], "words look at regions"),
            ("regions", "text", [c.cross_attention.regions_to_text for c in cross], "regions look at words"),
            ("text", "text", [c.text_self_attention.attention.tap for c in cross], "words after crossing"),
            ("regions", "regions", crossed, "regions after crossing"),
        ]
        return tuple(
            Evidence("attention", query, key, tuple(name[tap] for tap in taps), title)
            for query, key, taps, title in kinds
            if taps
        )

    def _language(self, text: Text) -> Tensor:
        """Text (I, T) -> (I, T, D), one row for each distinct text."""
        words = self.pooler.dense.rounded(self.text_embedding(text))
        for layer in self.language_layers:
            words = layer(words, text.attention_mask)
        return words

    def _objects(self, regions: Regions) -> Tensor:
        """Regions (I, R) -> (I, R, D), one row for each distinct image."""
        objects = self.pooler.dense.rounded(self.region_embedding(regions))
        for layer in self.object_layers:
            objects = layer(objects, regions.attention_mask)
        return objects

    def _pairs(
        self, text: Text | States, regions: Regions, objects: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Both single-modality encoders, then one row for each (example, image) pair: states and masks.

        `objects` (I, R, D) are the images' states where they are known already.
        """
        images = 1 if regions.index is None else regions.index.shape[1]
        known = text if isinstance(text, States) else self.states(text)
        words = _examples(known.states, known.index).repeat_interleave(images, 0)
        text_mask = _examples(known.attention_mask, known.index).repeat_interleave(images, 0)
        objects = _examples(self._objects(regions) if objects is None else objects, regions.index)
        mask = regions.attention_mask
        return words, objects, text_mask, None if mask is None else _examples(mask, regions.index)

    def _pooled(self, text: Text, regions: Regions, objects: Tensor | None = None) -> Tensor:
        """Text (B, T), Regions (I, R), their states (I, R, D) where known -> (B*S, D)."""
        words, objects, text_mask, regions_mask = self._pairs(text, regions, objects)
        if not self.cross_layers:
            return self.pooler(words)
        *layers, last = self.cross_layers
        for layer in layers:
            words, objects = layer(words, objects, text_mask, regions_mask)
        return self.pooler(last.first(words, objects, text_mask, regions_mask))

    def _pooled_by_length(self, groups: list[Tensor], text: Text, regions: Regions) -> Tensor:
        """As `_pooled`, group after group of the examples, in the batch's order again."""
        objects = self._objects(regions)
        index = regions.index
        if index is None:
            index = torch.arange(len(objects), device=objects.device)[:, None]
        parts = [
            self._pooled(trimmed(text.select(rows)), replace(regions, index=index[rows]), objects).unflatten(
                0, (len(rows), -1)
            )
            for rows in groups
        ]
        return torch.cat(parts)[torch.cat(groups).argsort()].flatten(0, 1)


class Lxmert(CrossModalModel):
    """LXMERT with a head over answers: VQA and GQA (one image), NLVR2 (two)."""

    streams: ClassVar[frozenset[str]] = frozenset({"text", "regions"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        self.encoder = Encoder(config)
        size = config.hidden_size
        images = config.num_images if config.use_images else 1
        self.answer_head = AnswerHead(size * images, size * 2, config.num_labels)
        initialise(self, config.initializer_range)

    def forward(self, batch: Batch) -> Output:
        """Text (B, T), Regions (I, R) -> scores "answer" (B, A), state "pooled" (B, S*D)."""
        text, regions = self._checked(batch)
        if regions is None:
            pooled = self.encoder.pooled_text(text)
        else:
            pooled = self.encoder.pooled(text, regions).unflatten(0, (-1, self.config.num_images)).flatten(1)
        return Output(scores={"answer": self.answer_head(pooled)}, states={"pooled": pooled})

    def groups_lengths(self) -> bool:
        """With images, when it is wide enough for groups to pay (`Encoder.pooled`)."""
        return self.config.use_images and self.encoder.fewest_in_group <= LARGE_GROUP

    def get_input_embeddings(self) -> nn.Module:
        """The table of word pieces, where gradients of the text are taken."""
        return self.encoder.text_embedding.words

    def evidence(self) -> tuple[Evidence, ...]:
        """Attention of the three encoders and both cross directions, per layer and head."""
        return self.encoder.evidence("encoder.")

    def idle_parameters(self) -> frozenset[str]:
        """The last cross layer's object side, which no pooled output reads (sheet, section 6), and frozen tables."""
        last = f"encoder.cross_layers.{len(self.encoder.cross_layers) - 1}."
        idle = ("regions_self_attention.", "regions_feed_forward.", "cross_attention.regions_a")
        names = {n for n, _ in self.named_parameters() if n.startswith(tuple(last + part for part in idle))}
        if self.config.padding_idx:
            names.add("encoder.text_embedding.types.weight")  # type 0, the only one used, is its padding row
            if not self.config.use_text:
                names.add("encoder.text_embedding.positions.weight")  # only [CLS] stands there, in the padding row
        return frozenset(names)

    def _checked(self, batch: Batch) -> tuple[Text, Regions | None]:
        """The streams, after a check that they are what this model was built for."""
        if batch.text is None:
            raise ValueError("LXMERT needs a text stream; add a [text] section to the recipe")
        text = batch.text
        if not self.config.use_text:
            text = Text(text.input_ids[:, :1], text.attention_mask[:, :1], index=text.index)
        if not self.config.use_images:
            return text, None
        if batch.regions is None:
            raise ValueError("LXMERT needs a regions stream; add a [regions] section to the recipe")
        images = 1 if batch.regions.index is None else batch.regions.index.shape[1]
        if images != self.config.num_images:
            raise ValueError(f"this model reads {self.config.num_images} image(s) per example, the batch has {images}")
        return text, batch.regions


Model = Lxmert


def _layers(config: Config, count: int) -> Stack[TransformerLayer]:
    size, heads, inner = config.layer_sizes
    hidden, attention = config.hidden_dropout, config.attention_dropout
    return Stack(
        TransformerLayer(size, heads, inner, dropout=hidden, attention_dropout=attention) for _ in range(count)
    )


def _cross_layer(config: Config) -> CrossModalityLayer:
    size, heads, inner = config.layer_sizes
    hidden, attention = config.hidden_dropout, config.attention_dropout
    cross = SharedCrossAttention if config.shared_cross_attention else SeparateCrossAttention
    return CrossModalityLayer(
        cross(size, heads, dropout=hidden, attention_dropout=attention),
        size,
        heads,
        inner,
        dropout=hidden,
        attention_dropout=attention,
    )


def _examples(rows: Tensor, index: Tensor | None) -> Tensor:
    """(I, ...), (B, S) -> (B*S, ...): each example's rows, in order; unchanged without an index."""
    return rows if index is None else rows[index.flatten()]
