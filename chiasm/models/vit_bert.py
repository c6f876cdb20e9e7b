"""ViT-BERT: transformer-exclusive cross-modal representation for vision and language (NAACL MAI workshop 2021).

    image(s) -> ViT,  class token after the last norm -> y_img  \\
                                                                 concat -> head -> scores
    text(s)  -> BERT, last state of [CLS]             -> y_lang /

VQA has one image and one text. NLVR2 has two images: each stands beside the sentence, and the pairs are concatenated.
VCR has four texts for each question it asks: each is scored beside the image. Images are encoded once per distinct
row. Any other encoder of `transformers` takes the place of either (`vision`, `language`).

# Differs: the paper leaves these open or prints them otherwise (sheet `vit_bert`).
- BERT is BERT: post-norm, without a last norm. Equations 8 to 10 print it pre-norm; `text_norm` adds equation 10's.
- `mlp_head`: the form of "final classification" is not given. A linear head scores image and text apart: with it the
  image cancels in VCR's softmax, so the recipes of VCR and NLVR2 have the perceptron.
- `triplet`: the paper reports the pair way; this is the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from chiasm.batch import Batch, Images, Output, Text, Vectors
from chiasm.encoders.pooled_text import BertText
from chiasm.encoders.pretrained import TransformersImages, image_encoder, text_encoder
from chiasm.encoders.vit import VisionTransformer
from chiasm.fusion.concat import Pairs, Triplet
from chiasm.heads.choices import AnswerOrChoiceHeads
from chiasm.layers.dropout import Dropout
from chiasm.layers.initialise import initialise
from chiasm.layers.linear import Linear
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config:
    """ViT-B/16 and BERT-base by default, weights at random unless a name or folder of `transformers` is given."""

    vocab_size: int = 30522  # word pieces
    num_labels: int = 3129  # answers
    num_images: int = 1  # images per example
    num_choices: int = 0  # options of each question; 0: the answers are a vocabulary
    image_size: int = 224  # pixels of a side
    vision: Mapping[str, Any] = field(default_factory=dict)  # configuration of transformers; of "vit" if not said
    vision_weights: str = ""  # or a name or folder to start from
    language: Mapping[str, Any] = field(default_factory=dict)  # of "bert" if not said
    language_weights: str = ""
    use_images: bool = True  # False: the question-only baseline
    freeze: bool = False  # both encoders fixed, in evaluation mode; only the head is trained
    text_pooler: bool = False  # BERT's tanh pooler on top of [CLS]
    text_norm: bool = False  # a layer norm on [CLS], as equation 10 prints
    image_projection: int = 0  # y_img is mapped to this size first; 0: it is not. Without images its place is zero
    zero_projection: bool = False  # that map begins at zero: the model begins as the one that sees nothing
    train_batch_norm: bool = True  # of a convolutional vision encoder
    mlp_head: bool = False  # False: one linear layer
    head_size: int = 3072  # inner size of the perceptron
    head_dropout: float = 0.1  # of the joined vector
    triplet: bool = False  # [y_img1; y_img2; y_lang] instead of two pairs
    initializer_range: float = 0.02  # of the head


class VitBert(CrossModalModel):
    """Two encoders, concatenation, a head for each question asked."""

    streams: ClassVar[frozenset[str]] = frozenset({"text", "images", "choices"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        self.language, language = text_encoder(
            config.language, config.language_weights, vocab_size=config.vocab_size, pooler=config.text_pooler
        )
        self.text_norm = nn.LayerNorm(self.language.output_size) if config.text_norm else nn.Identity()
        # A bundle is whole: it names the architecture, not the place from which the first weights came.
        self.config = replace(config, language=language, language_weights="")
        self.vision: VisionTransformer | TransformersImages | None = None
        self.join: Pairs | Triplet = Triplet() if config.triplet else Pairs()
        image_size = config.image_projection
        if config.zero_projection and not image_size:
            raise ValueError("zero_projection is of the map image_projection, whose size is not given")
        if config.use_images:
            self.vision, vision = image_encoder(
                config.vision,
                config.vision_weights,
                image_size=config.image_size,
                train_batch_norm=config.train_batch_norm,
            )
            self.config = replace(self.config, vision=vision, vision_weights="")
            image_size = self._add_projection(self.vision.output_size)
        joined = self.language.output_size
        if image_size:
            joined = self.join.output_size(image_size, self.language.output_size, config.num_images)
        self.dropout = Dropout(config.head_dropout)
        self.heads = AnswerOrChoiceHeads(
            list(objectives),
            joined,
            hidden_size=config.head_size if config.mlp_head else 0,
            num_labels=config.num_labels,
            num_choices=config.num_choices,
        )
        initialise(self.heads, config.initializer_range)
        self._freeze()

    def forward(self, batch: Batch) -> Output:
        """Text (B, T) or choices (B * K, T), Images (I, C, height, width) -> scores by head (B, A) or (B, K).

        States: "text" (B, K, D), "images" (B, S, D), "joined" (B, K, D'). Vectors that are in the batch as
        "text_vectors" and "image_vectors" are taken as they are, and not computed again.
        """
        vectors = self.vectors(batch)
        texts = _by_example(vectors["text_vectors"])  # (B, K, D)
        images = self._seen(texts, vectors.get("image_vectors"))
        if images is None:
            joined = texts
        else:
            beside = texts[:, :, None].expand(-1, -1, images.shape[1], -1)  # a text is read without the image
            joined = self.join(images, beside)
        return Output(self.heads(self.dropout(joined)), {"text": texts, "joined": joined})

    def vectors(self, batch: Batch) -> dict[str, Vectors]:
        """The encoders' results: "text_vectors" and "image_vectors", a row for each text and each distinct image."""
        found: dict[str, Vectors] = {}
        for name in ("text_vectors", "image_vectors") if self.vision is not None else ("text_vectors",):
            given = batch.more.get(name)
            if isinstance(given, Vectors):
                found[name] = given
        if "text_vectors" not in found:
            text = self._text(batch)
            found["text_vectors"] = Vectors(self.text_norm(self.language(text)), index=text.index)
        if self.vision is not None and "image_vectors" not in found:
            images = self._images(batch)
            found["image_vectors"] = Vectors(self.vision(images), index=images.index)
        return found

    def evidence(self) -> tuple[Evidence, ...]:
        """Attention inside ViT and BERT, where they are of our own layers; there is none across."""
        name = {module: name for name, module in self.named_modules()}
        found = []
        if isinstance(self.language, BertText):
            stream = "choices" if self.config.num_choices else "text"
            taps = tuple(name[tap] for tap in self.language.taps())
            found.append(Evidence("attention", stream, stream, taps, "words look at words"))
        if isinstance(self.vision, VisionTransformer):
            taps = tuple(name[tap] for tap in self.vision.taps())
            found.append(Evidence("attention", "images", "images", taps, "patches look at patches"))
        return tuple(found)

    def image_positions(self) -> int:
        """1 + P for a vision transformer of our own; 0 for any other encoder."""
        return self.vision.num_positions if isinstance(self.vision, VisionTransformer) else 0

    def get_input_embeddings(self) -> nn.Module:
        """The table of word pieces, where gradients of the text are taken."""
        return self.language.word_table()

    def get_image_embeddings(self) -> nn.Module | None:
        """What makes patches into vectors, where gradients of the image are taken; None without such."""
        return self.vision.embedding if isinstance(self.vision, VisionTransformer) else None

    def idle_parameters(self) -> frozenset[str]:
        """Both encoders, when they are frozen."""
        return frozenset(name for name, parameter in self.named_parameters() if not parameter.requires_grad)

    def train(self, mode: bool = True) -> VitBert:
        """Frozen encoders stay in evaluation mode."""
        super().train(mode)
        for encoder in self._encoders() if self.config.freeze else ():
            encoder.eval()
        return self

    def _encoders(self) -> list[nn.Module]:
        encoders: list[nn.Module] = [self.language, self.text_norm]
        return encoders if self.vision is None else [*encoders, self.vision]

    def _seen(self, texts: Tensor, vectors: Vectors | None) -> Tensor | None:
        """(B, S, D) what stands in the images' place beside texts (B, K, D'): nothing, zeros, or what was seen."""
        count, size = self.config.num_images, self.config.image_projection
        if vectors is None:
            return texts.new_zeros(len(texts), count, size) if size else None
        images = _by_example(vectors)
        if images.shape[1] != count:
            raise ValueError(f"this model reads {count} image(s) per example, the batch has {images.shape[1]}")
        return self.projection(images)

    def _freeze(self) -> None:
        for encoder in self._encoders() if self.config.freeze else ():
            encoder.requires_grad_(False)

    def _add_projection(self, size: int) -> int:
        """The optional map of y_img; returns the size that it then has."""
        wanted = self.config.image_projection
        self.projection: nn.Module = Linear(size, wanted) if wanted else nn.Identity()
        if wanted:
            initialise(self.projection, 0.0 if self.config.zero_projection else self.config.initializer_range)
        return wanted or size

    def _text(self, batch: Batch) -> Text:
        text = batch.more.get("choices") if self.config.num_choices else batch.text
        if not isinstance(text, Text):
            section = "choices" if self.config.num_choices else "text"
            raise ValueError(f"ViT-BERT needs a stream {section!r}; add a [{section}] section to the recipe")
        return text

    def _images(self, batch: Batch) -> Images:
        if batch.images is None:
            raise ValueError("ViT-BERT needs whole images; add an [images] section, or set options.use_images = false")
        return batch.images


Model = VitBert


def _by_example(vectors: Vectors) -> Tensor:
    """(I, D) with index (B, K) -> (B, K, D)."""
    return vectors.vectors[:, None] if vectors.index is None else vectors.vectors[vectors.index]
