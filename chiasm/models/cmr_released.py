"""CMR as its published code computes it (HLR/Cross_Modality_Relevance; Zheng, Guo & Kordjamshidi, ACL 2020).

    words --------\\                          pooled states of both images, 12 x 12 ------> cosines -> CNN --\\
                   LXMERT's three encoders -> words x regions, 20 x 36, of either image -> cosines -> CNN ---\\
    two images ---/                          halves of every other region, 36 x 36 -----> cosines -> CNN ----> MLP
                                             ten best pairs of words and of regions -----> cosines -> CNN ---/

The published weights fit it, under other names (`chiasm convert cmr`). What the paper describes is the model `cmr`.

# Differs: what this code does otherwise than the paper (sheet `cmr`, section 7), all of it kept as it is.
- The text encoder is LXMERT's, of nine layers, and trained; a text is padded to 20 word pieces, and the padded ones are
  compared and paired like the others.
- Affinities are cosines. A pair of regions is the sum of the two, a pair of words MLP([x_i; x_j]) with i > j.
- Pairs are ranked by an MLP alone, neither with a softmax nor with the importance of their members. Choosing has no
  gradient, so that the ranking stays as it was drawn: `scores` of both sides is never trained.
- Relations are of text and image only. An affinity of the two pooled states, which the paper does not have, is added.
- "Image and image" is not what it says. The code views (2B, R, D) as (B, R, 2D), so that row r holds regions 2r and
  2r + 1 of the 2R regions of both images; it cuts each row into four and takes the first two quarters, both of region
  2r. So regions of odd number are not seen, and first halves of vectors are compared with second halves, which mean
  other things. Kept, since the published weights were trained so.
- `unused_pairs` (its `img_2_to_1`) is part of the weights and is never called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chiasm.batch import Batch, Output, Regions, Text
from chiasm.fusion.relevance import AffinityCnn, cosine, paired
from chiasm.heads.classify import relu_classifier
from chiasm.layers.initialise import initialise
from chiasm.layers.linear import Linear
from chiasm.layers.recording import Tap
from chiasm.layers.transformer import LAYER_NORM_EPS
from chiasm.models import CrossModalModel, Evidence
from chiasm.models.lxmert import Config as EncoderConfig
from chiasm.models.lxmert import Encoder
from chiasm.objectives import Objective

IMAGES = 2


@dataclass(frozen=True)
class Config:
    """The published code's sizes."""

    vocab_size: int = 30522  # word pieces
    feature_size: int = 2048  # of a region's feature vector
    num_labels: int = 2  # answers
    num_images: int = IMAGES  # images per example: the published code has two
    max_words: int = 20  # every text is padded to so many word pieces
    max_regions: int = 36  # regions of an image, at most
    hidden_size: int = 768
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    language_layers: int = 9
    object_layers: int = 5
    cross_layers: int = 5
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    pooled_parts: int = 12  # rows into which a pooled state is cut
    top_k: int = 10  # pairs kept of each modality
    sorted_pairs: bool = True  # best first; False: in torch's own order, as published, which depends on the device
    classifier_sizes: tuple[int, ...] = (3072, 768, 192)  # hidden layers
    initializer_range: float = 0.02  # of the encoders; the rest begins as torch's layers do

    def encoder(self) -> EncoderConfig:
        """Of LXMERT's encoders."""
        return EncoderConfig(
            vocab_size=self.vocab_size,
            feature_size=self.feature_size,
            hidden_size=self.hidden_size,
            num_attention_heads=self.num_attention_heads,
            intermediate_size=self.intermediate_size,
            language_layers=self.language_layers,
            object_layers=self.object_layers,
            cross_layers=self.cross_layers,
            hidden_dropout=self.hidden_dropout,
            attention_dropout=self.attention_dropout,
            max_position_embeddings=self.max_position_embeddings,
            type_vocab_size=self.type_vocab_size,
            initializer_range=self.initializer_range,
        )


class PairMlp(nn.Module):
    """W_2 relu(W_1 [a; b]): one vector for two."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.first, self.second = Linear(2 * size, 2 * size), Linear(2 * size, size)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(B, P, D) twice -> (B, P, D)."""
        return self.second(F.relu(self.first(torch.cat([a, b], -1))))

    def of_all(self, x: Tensor, pairs: Tensor) -> Tensor:
        """(B, N, D), (2, P) -> (B, P, D): as `forward` of all pairs, W_1 applied to entities before they are paired."""
        return self.second(paired(self.first, x, pairs))


class PairSum(nn.Module):
    """a + b."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(B, P, D) twice -> (B, P, D)."""
        return a + b

    def of_all(self, x: Tensor, pairs: Tensor) -> Tensor:
        """(B, N, D), (2, P) -> (B, P, D)."""
        return x[:, pairs[0]] + x[:, pairs[1]]


class BestPairs(nn.Module):
    """Of all pairs of a modality's entities the K that an MLP of three layers scores highest.

    All pairs are scored without a graph, since nothing of that is trained; only the chosen ones are computed with one.
    """

    def __init__(self, vectors: PairMlp | PairSum, size: int, entities: int, *, top_k: int, in_order: bool) -> None:
        super().__init__()
        if entities * (entities - 1) // 2 < top_k:
            raise ValueError(f"{entities} entities have fewer than top_k = {top_k} pairs")
        self.vectors, self.top_k, self.in_order = vectors, top_k, in_order
        hidden = [Linear(size, size // 2), nn.ReLU(), Linear(size // 2, size // 4), nn.ReLU()]
        self.scores = nn.Sequential(*hidden, nn.Linear(size // 4, 1))
        self.tap = Tap()

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B, N, D), (B, N) or None: all are there -> (B, K, D); zero where there are fewer pairs than K."""
        pairs = torch.tril_indices(x.shape[1], x.shape[1], -1, device=x.device)  # i > j: (1, 0), (2, 0), (2, 1), ...
        first, second = pairs
        with torch.no_grad():
            scores = self.scores(self.vectors.of_all(x, pairs))[..., 0]  # (B, P)
            real = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask[:, first] & mask[:, second]
            self.tap(_square(scores * real, pairs, x.shape[1]))
            ranked = scores.masked_fill(~real, torch.finfo(scores.dtype).min)
            places = ranked.topk(self.top_k, -1, sorted=self.in_order).indices  # (B, K)
        rows = torch.arange(len(x), device=x.device)[:, None]
        chosen = self.vectors(x[rows, first[places]], x[rows, second[places]])
        return chosen if mask is None else chosen * real.gather(1, places)[..., None]


class Relevance(nn.Module):
    """Cosines of two sets of vectors -> CNN -> the vectors of an example's images side by side -> GELU, LN (-> D)."""

    def __init__(self, rows: int, columns: int, channels: tuple[int, ...], size: int, *, images: int = 1) -> None:
        super().__init__()
        self.images = images
        self.tap = Tap()
        self.cnn = AffinityCnn(rows, columns, channels, size)
        self.hidden = Linear(size * images, size * images)
        self.norm = nn.LayerNorm(size * images, eps=LAYER_NORM_EPS)
        self.output = Linear(size * images, size) if images > 1 else nn.Identity()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(B*S, N, F), (B*S, M, F) -> (B, D), S the images that are put side by side."""
        affinity = cosine(a, b)
        self.tap(affinity[:, None])
        vectors = self.cnn(affinity).unflatten(0, (-1, self.images)).flatten(1)  # (B, S*D)
        return self.output(self.norm(self.hidden.gelu(vectors)))


class CmrReleased(CrossModalModel):
    """LXMERT's encoders, four relevances, a classifier of them."""

    streams: ClassVar[frozenset[str]] = frozenset({"text", "regions"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        if config.num_images != IMAGES:
            raise ValueError(
                f"num_images is {config.num_images}, and the published code has no form for it: cmr_released reads "
                f"{IMAGES} images; the model cmr reads any number"
            )
        size, k, words, regions = config.hidden_size, config.top_k, config.max_words, config.max_regions
        self.encoder = Encoder(config.encoder())
        self.pooled = Relevance(config.pooled_parts, config.pooled_parts, (32,), size)
        self.text_image = Relevance(words, regions, (16, 32), size, images=IMAGES)
        self.image_halves = Relevance(regions, regions, (16, 32), size)
        self.relations = Relevance(k, k, (32,), size, images=IMAGES)
        self.text_side = BestPairs(PairMlp(size), size, words, top_k=k, in_order=config.sorted_pairs)
        self.image_side = BestPairs(PairSum(), size, regions, top_k=k, in_order=config.sorted_pairs)
        self.unused_pairs = PairMlp(size)
        self.classifier = relu_classifier(4 * size, config.classifier_sizes, config.num_labels)
        initialise(self.encoder, config.initializer_range)

    def forward(self, batch: Batch) -> Output:
        """Text (B, T), Regions (I, R) -> scores "answer" (B, A), state "relevances" (B, 4 * D)."""
        text, regions = self._checked(batch)
        states = self.encoder(text, regions)  # (2B, T, D), (2B, R, D), (2B, D)
        words, objects, pooled = (state.float() for state in states)  # an encoder that rounds says bfloat16
        objects, there = self._of_all_regions(objects, regions)
        parts = pooled.unflatten(-1, (self.config.pooled_parts, -1))  # (2B, 12, D/12)
        every_other = objects.unflatten(0, (-1, IMAGES)).flatten(1, 2)[:, 0::2]  # (B, R, D)
        first_half, second_half = every_other.chunk(2, -1)
        pairs = self.text_side(words, None), self.image_side(objects, there)
        found = [
            self.pooled(parts[0::2], parts[1::2]),
            self.text_image(words, objects),
            self.image_halves(first_half, second_half),
            self.relations(*pairs),
        ]
        relevances = torch.cat(found, 1)
        return Output({"answer": self.classifier(relevances)}, {"relevances": relevances})

    def evidence(self) -> tuple[Evidence, ...]:
        """The encoders' attention, the affinity of words and regions, and the scores of pairs."""
        return (
            *self.encoder.evidence("encoder."),
            Evidence("affinity", "text", "regions", ("text_image.tap",), "affinity of words and regions"),
            Evidence("ranking", "text", "text", ("text_side.tap",), "ranking of pairs of words, as it was drawn"),
            Evidence("ranking", "regions", "regions", ("image_side.tap",), "ranking of pairs of regions, as drawn"),
        )

    def get_input_embeddings(self) -> nn.Module:
        """The table of word pieces, where gradients of the text are taken."""
        return self.encoder.text_embedding.words

    def idle_parameters(self) -> frozenset[str]:
        """What only ranks pairs, what is never called, and token types, of which only the frozen row is used."""
        idle = ("text_side.scores.", "image_side.scores.", "unused_pairs.", "encoder.text_embedding.types.")
        return frozenset(name for name, _ in self.named_parameters() if name.startswith(idle))

    def _checked(self, batch: Batch) -> tuple[Text, Regions]:
        """The streams, every text padded to `max_words`, after a check that they are what this model was built for."""
        text, regions, config = batch.text, batch.regions, self.config
        if text is None or regions is None:
            raise ValueError("CMR needs text and regions; add [text] and [regions] sections to the recipe")
        images = 1 if regions.index is None else regions.index.shape[1]
        if images != IMAGES:
            raise ValueError(f"cmr_released reads {IMAGES} images per example, the batch has {images}; see model cmr")
        given = text.input_ids.shape[1], regions.features.shape[1]
        if given[0] > config.max_words or given[1] > config.max_regions:
            raise ValueError(
                f"{given[0]} word pieces and {given[1]} regions for a model of {config.max_words} and "
                f"{config.max_regions}; set [text] max_length and [regions] max_regions"
            )
        padding = (0, config.max_words - given[0])
        ids = F.pad(text.input_ids * text.attention_mask, padding)  # what stands in padding takes part: always [PAD]
        types = None if text.token_type_ids is None else F.pad(text.token_type_ids * text.attention_mask, padding)
        padded = replace(text, input_ids=ids, attention_mask=F.pad(text.attention_mask, padding), token_type_ids=types)
        return padded, regions

    def _of_all_regions(self, objects: Tensor, regions: Regions) -> tuple[Tensor, Tensor | None]:
        """(2B, R, D) -> (2B, max_regions, D), zero where there is no region, and which are there; None: all are.

        The published features have 36 regions of every image; here an image may have fewer.
        """
        missing, known = self.config.max_regions - objects.shape[1], regions.attention_mask
        if not missing and known is None:
            return objects, None
        there = objects.new_ones(objects.shape[:2], dtype=torch.bool)
        if known is not None:
            there = known if regions.index is None else known[regions.index.flatten()]
        return F.pad(objects * there[..., None], (0, 0, 0, missing)), F.pad(there, (0, missing))


Model = CmrReleased


def _square(values: Tensor, pairs: Tensor, entities: int) -> Tensor:
    """(B, P), pairs (2, P) with i > j -> (B, 1, N, N): on the upper triangle."""
    square = values.new_zeros(len(values), entities, entities)
    square[:, pairs[1], pairs[0]] = values
    return square[:, None]
