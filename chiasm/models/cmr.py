"""CMR: cross-modality relevance for reasoning on language and vision (Zheng, Guo & Kordjamshidi, ACL 2020).

    words   -> BERT (12 layers, frozen) --\\                     words x regions ---\\
                                           cross layers (5) ->  regions x regions  -> affinity -> CNN -> of entities
    regions -> object layers (5) ---------/                     their best pairs   -> affinity -> CNN -> of relations
                                                                           all relevances -> MLP of three hidden layers

Nothing but relevances reaches the classifier. With two images (NLVR2) there are three relevances of each kind: text and
image 1, text and image 2, image 1 and image 2; with one image (VQA) one; with S images S + S (S - 1) / 2, of the text
with each and of every two of them. The encoders are LXMERT's, with BERT's depth.

# Differs: where paper and released code disagree the default is the paper (sheet `cmr`, section 9).
- `affinity`: the paper's raw inner products; "dot_scaled" divides by sqrt(D), "cosine" is the released code.
- `relation_gate`: choosing the best pairs has no gradient, so the scoring network is never trained, in paper and code;
  "score" and "straight_through" let it learn.
- `mask_padding`: paper and code let padded words take part; here they do not, so that padding cannot change an answer.
  False is theirs: a text is padded to `max_words` before it is encoded.
- `cross_type`: the cross layers are LXMERT's, which the paper's 230 M parameters and the code have; "joint" is its
  formula, self-attention over the words and regions of one (text, image) pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chiasm.batch import Batch, Output, Regions, States, Text
from chiasm.encoders.raw import RawRegions, RawText
from chiasm.fusion.joint import JointLayer
from chiasm.fusion.relevance import AFFINITIES, AffinityKind, Gate, Match, Relations
from chiasm.heads.classify import relu_classifier
from chiasm.layers.initialise import initialise
from chiasm.layers.recording import paused
from chiasm.layers.stack import Stack
from chiasm.layers.transformer import TransformerLayer
from chiasm.models import CrossModalModel, Evidence
from chiasm.models.lxmert import Config as EncoderConfig
from chiasm.models.lxmert import Encoder
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config:
    """The paper's sizes; those it does not print are the released code's."""

    vocab_size: int = 30522  # word pieces
    feature_size: int = 2048  # of a region's feature vector
    num_labels: int = 2  # answers
    num_images: int = 2  # images per example
    max_words: int = 20  # word pieces of a text, at most
    max_regions: int = 36  # regions of an image, at most
    hidden_size: int = 768
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    language_layers: int = 12
    object_layers: int = 5
    cross_layers: int = 5
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1
    max_position_embeddings: int = 512
    freeze_text: bool = True  # BERT is fixed, in evaluation mode
    single_modality: bool = True  # False: Table 4's ablation, a linear map of the raw words and regions
    cross_type: Literal["lxmert", "joint"] = "lxmert"
    affinity: AffinityKind = "dot"
    entity_channels: tuple[int, ...] = (16, 32)  # of the convolutions over entity affinities
    relation_channels: tuple[int, ...] = (32,)  # and over affinities of relations
    top_k: int = 10  # relations kept of each modality
    relation_gate: Gate = "none"
    mask_padding: bool = True
    entity_relevance: bool = True  # False: Table 4's ablation; affinities still rank the relations
    relation_relevance: bool = True  # False: Table 4's ablation
    classifier_sizes: tuple[int, ...] = ()  # hidden layers; (): as many as its input, 768, 192
    initializer_range: float = 0.02

    def encoder(self) -> EncoderConfig:
        """Of LXMERT's encoders."""
        return EncoderConfig(
            vocab_size=self.vocab_size,
            feature_size=self.feature_size,
            hidden_size=self.hidden_size,
            num_attention_heads=self.num_attention_heads,
            intermediate_size=self.intermediate_size,
            language_layers=self.language_layers if self.single_modality else 0,
            object_layers=self.object_layers if self.single_modality else 0,
            cross_layers=self.cross_layers,
            hidden_dropout=self.hidden_dropout,
            attention_dropout=self.attention_dropout,
            max_position_embeddings=self.max_position_embeddings,
            padding_idx=False,
            initializer_range=self.initializer_range,
        )


_TABLES = tuple(f"encoder.text_embedding.{table}." for table in ("words", "positions", "types"))


class Cmr(CrossModalModel):
    """LXMERT's encoders, relevances, a classifier of relevances."""

    streams: ClassVar[frozenset[str]] = frozenset({"text", "regions"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        if config.num_images < 1:
            raise ValueError(f"num_images is {config.num_images}; CMR reads at least one image")
        if not (config.entity_relevance or config.relation_relevance):
            raise ValueError("without entity_relevance and relation_relevance there is nothing to classify")
        self.encoder = _encoder(config)
        gate, k = config.relation_gate, config.top_k
        self.text_side = Relations(config.hidden_size, config.max_words, top_k=k, gate=gate)
        self.image_side = Relations(config.hidden_size, config.max_regions, top_k=k, gate=gate)
        self.text_image = _match(config, config.max_words, config.max_regions)  # one for all images
        several = config.num_images > 1
        self.image_image = _match(config, config.max_regions, config.max_regions) if several else None  # one for all
        kinds = int(config.entity_relevance) + int(config.relation_relevance)
        size = config.hidden_size * kinds * sum(range(config.num_images + 1))
        self.classifier = relu_classifier(size, config.classifier_sizes or (size, 768, 192), config.num_labels)
        initialise(self, config.initializer_range)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(not self._is_idle(name))

    def forward(self, batch: Batch) -> Output:
        """Text (B, T), Regions (I, R) -> scores "answer" (B, A), state "relevances" (B, n * D).

        States of the texts that are in the batch as "text_states" are taken as they are, and not computed again.
        """
        text, regions = self._checked(batch)
        images = self.config.num_images
        words, objects, _ = (state.float() for state in self.encoder(text, regions))  # one that rounds says bfloat16
        words_mask = _of_examples(text.attention_mask, text.index).repeat_interleave(images, 0)
        known = regions.attention_mask if regions.attention_mask is not None else regions.boxes.new_ones(()).bool()
        objects_mask = _of_examples(known.expand(regions.features.shape[:2]), regions.index)
        words, words_mask = _padded(words, words_mask, self.config.max_words)
        objects, objects_mask = _padded(objects, objects_mask, self.config.max_regions)
        masks = (words_mask, objects_mask) if self.config.mask_padding else None
        relations = self.text_side, self.image_side
        scores = None  # of an image's pairs: the same beside the text and beside another image
        if self.config.relation_relevance:
            scores = self.image_side.scores(objects, objects_mask if self.config.mask_padding else None)
        beside = self.text_image(words, objects, masks, relations, (None, scores))
        found = [r.unflatten(0, (-1, images)).flatten(1) for r in beside]
        if self.image_image is not None:
            pairs = torch.triu_indices(images, images, 1, device=objects.device)
            first, second = _of_pairs(objects.unflatten(0, (-1, images)), pairs)
            both = _of_pairs(objects_mask.unflatten(0, (-1, images)), pairs) if self.config.mask_padding else None
            own = (None, None) if scores is None else _of_pairs(scores.unflatten(0, (-1, images)), pairs)
            with paused(self.image_side):  # regions are shown as they rank beside the text
                between = self.image_image(first, second, both, (relations[1], relations[1]), own)
            found += [r.unflatten(0, (-1, pairs.shape[1])).flatten(1) for r in between]
        relevances = torch.cat(found, 1)
        return Output({"answer": self.classifier(relevances)}, {"relevances": relevances})

    def vectors(self, batch: Batch) -> dict[str, States]:
        """What BERT says of the batch's texts: "text_states", those that are there already or new ones."""
        given = batch.more.get("text_states")
        if isinstance(given, States):
            return {"text_states": given}
        if batch.text is None:
            raise ValueError("CMR needs a text; add a [text] section to the recipe")
        return {"text_states": self.encoder.states(self._whole_text(batch.text))}

    def fixed_parts(self) -> tuple[dict[str, int], tuple[nn.Module, ...]]:
        """What `vectors` comes from: options and modules."""
        options = {
            "num_attention_heads": self.config.num_attention_heads,
            "padded_to": 0 if self.config.mask_padding else self.config.max_words,
        }
        return options, (self.encoder.text_embedding, self.encoder.language_layers)

    def evidence(self) -> tuple[Evidence, ...]:
        """The encoders' attention, the affinities, and how pairs of words and of regions rank."""
        taps = [("affinity", "text", "regions", "text_image", "affinity of words and regions")]
        if self.config.num_images > 1:
            taps.append(("affinity", "regions", "regions", "image_image", "affinity of the regions of two images"))
        if self.config.relation_relevance:
            taps.append(("ranking", "text", "text", "text_side", "ranking of pairs of words"))
            taps.append(("ranking", "regions", "regions", "image_side", "ranking of pairs of regions"))
        own = (Evidence(kind, query, key, (f"{part}.tap",), title) for kind, query, key, part, title in taps)
        return (*self.encoder.evidence("encoder."), *own)

    def get_input_embeddings(self) -> nn.Module:
        """The table of word pieces, where gradients of the text are taken."""
        return self.encoder.text_embedding.words

    def idle_parameters(self) -> frozenset[str]:
        """The frozen BERT, LXMERT's pooler, and what only ranks relations and so gets no gradient."""
        return frozenset(name for name, _ in self.named_parameters() if self._is_idle(name))

    def train(self, mode: bool = True) -> Cmr:
        """The frozen BERT stays in evaluation mode."""
        super().train(mode)
        if self.config.freeze_text:
            self.encoder.text_embedding.eval()
            self.encoder.language_layers.eval()
        return self

    def _is_idle(self, name: str) -> bool:
        text = ("encoder.text_embedding.", "encoder.language_layers.") if self.config.single_modality else _TABLES
        frozen = text if self.config.freeze_text else ()
        unread = ("encoder.pooler.",)
        literal = self.config.relation_gate == "none" and "_side.score." in name
        unused = not self.config.relation_relevance and "_side." in name
        return name.startswith((*frozen, *unread)) or literal or unused

    def _checked(self, batch: Batch) -> tuple[Text | States, Regions]:
        """The streams, after a check that they are what this model was built for."""
        known, regions, config = batch.more.get("text_states"), batch.regions, self.config
        text = known if isinstance(known, States) else batch.text
        if text is None or regions is None:
            raise ValueError("CMR needs text and regions; add [text] and [regions] sections to the recipe")
        images = 1 if regions.index is None else regions.index.shape[1]
        if images != config.num_images:
            raise ValueError(f"this model reads {config.num_images} image(s) per example, the batch has {images}")
        given = text.attention_mask.shape[1], regions.features.shape[1]
        if given[0] > config.max_words or given[1] > config.max_regions:
            raise ValueError(
                f"{given[0]} word pieces and {given[1]} regions for a model of {config.max_words} and "
                f"{config.max_regions}; set [text] max_length and [regions] max_regions"
            )
        return (text if isinstance(text, States) else self._whole_text(text)), regions

    def _whole_text(self, text: Text) -> Text:
        """The text as it is encoded: of `max_words` pieces where padding takes part."""
        missing = self.config.max_words - text.input_ids.shape[1]
        if self.config.mask_padding or missing <= 0:
            return text
        ids, mask = F.pad(text.input_ids, (0, missing)), F.pad(text.attention_mask, (0, missing))
        types = None if text.token_type_ids is None else F.pad(text.token_type_ids, (0, missing))
        return replace(text, input_ids=ids, attention_mask=mask, token_type_ids=types)


Model = Cmr


def _encoder(config: Config) -> Encoder:
    """LXMERT's, with the raw input or the joint layers that the configuration asks for in place of its own."""
    encoder, size = Encoder(config.encoder()), config.hidden_size
    if not config.single_modality:
        positions = config.max_position_embeddings
        encoder.add_module("text_embedding", RawText(config.vocab_size, size, max_positions=positions))
        encoder.add_module("region_embedding", RawRegions(config.feature_size, size))
    if config.cross_type == "joint":
        encoder.add_module("cross_layers", Stack(_joint_layer(config) for _ in range(config.cross_layers)))
    return encoder


def _joint_layer(config: Config) -> JointLayer:
    heads, inner = config.num_attention_heads, config.intermediate_size
    dropout, attention_dropout = config.hidden_dropout, config.attention_dropout
    return JointLayer(
        TransformerLayer(config.hidden_size, heads, inner, dropout=dropout, attention_dropout=attention_dropout)
    )


def _match(config: Config, rows: int, columns: int) -> Match:
    return Match(
        rows,
        columns,
        config.hidden_size,
        affinity=AFFINITIES[config.affinity],
        entity_channels=config.entity_channels if config.entity_relevance else None,
        relation_channels=config.relation_channels if config.relation_relevance else None,
        top_k=config.top_k,
    )


def _of_examples(rows: Tensor, index: Tensor | None) -> Tensor:
    """(I, ...), (B, S) -> (B*S, ...)."""
    return rows if index is None else rows[index.flatten()]


def _of_pairs(images: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """(B, S, ...), (2, P) -> twice (B*P, ...): the first and the second image of every pair, example after example."""
    return images[:, pairs[0]].flatten(0, 1), images[:, pairs[1]].flatten(0, 1)


def _padded(states: Tensor, mask: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(B, N, D), (B, N) -> the same of `size` entities, the last ones nothing."""
    missing = size - states.shape[1]
    return F.pad(states, (0, 0, 0, missing)), F.pad(mask, (0, missing))
