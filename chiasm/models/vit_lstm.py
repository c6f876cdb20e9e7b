"""ViT-LSTM: the row "ViT+LSTM" of the ViT-BERT paper's Table 2, BERT replaced by an LSTM with early fusion.

    image(s) -> ViT -> y_img --------------------------------\\
                         | (beside every word vector)          concat -> head -> scores
    words -> vectors -> LSTM -> last state -> y_lang ---------/

The LSTM reads each text once for each image, so unlike BERT's its state depends on the image.

# Differs: the paper says "early fusion with image features" and no more (sheet `vit_bert`, section 8). Here y_img
stands beside every word vector; `image_first` makes it, projected, the first step instead. Word vectors are drawn at
random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Images, Output, Text
from chiasm.encoders.pretrained import image_encoder
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
    """ViT-B/16 and one layer of 768 by default."""

    vocab_size: int = 30522  # word pieces
    num_labels: int = 3129  # answers
    num_images: int = 1  # images per example
    num_choices: int = 0  # options of each question; 0: the answers are a vocabulary
    image_size: int = 224  # pixels of a side
    vision: Mapping[str, Any] = field(default_factory=dict)  # configuration of transformers; of "vit" if not said
    vision_weights: str = ""  # or a name or folder to start from
    word_size: int = 300  # of a word vector
    hidden_size: int = 768  # of the LSTM
    image_first: bool = False  # the image is the LSTM's first step instead
    mlp_head: bool = False  # False: one linear layer
    head_size: int = 3072  # inner size of the perceptron
    head_dropout: float = 0.1  # of the joined vector
    triplet: bool = False  # [y_img1; y_img2; y_lang] instead of two pairs
    initializer_range: float = 0.02


class VitLstm(CrossModalModel):
    """A vision encoder, an LSTM over words and image, a head for each question asked."""

    streams: ClassVar[frozenset[str]] = frozenset({"text", "images", "choices"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        self.vision, vision = image_encoder(config.vision, config.vision_weights, image_size=config.image_size)
        self.config = replace(config, vision=vision, vision_weights="")
        size = self.vision.output_size
        self.words = nn.Embedding(config.vocab_size, config.word_size)
        self.first_step = Linear(size, config.word_size) if config.image_first else None
        self.lstm = nn.LSTM(
            config.word_size + (0 if config.image_first else size), config.hidden_size, batch_first=True
        )
        self.join: Pairs | Triplet = Triplet() if config.triplet else Pairs()
        self.dropout = Dropout(config.head_dropout)
        self.heads = AnswerOrChoiceHeads(
            list(objectives),
            self.join.output_size(size, config.hidden_size, config.num_images),
            hidden_size=config.head_size if config.mlp_head else 0,
            num_labels=config.num_labels,
            num_choices=config.num_choices,
        )
        for part in (self.words, self.first_step, self.heads):
            if part is not None:
                initialise(part, config.initializer_range)

    def forward(self, batch: Batch) -> Output:
        """Text (B, T) or choices (B * K, T), Images (I, C, height, width) -> scores by head (B, A) or (B, K)."""
        text, images = self._streams(batch)
        rows = self.vision(images)
        seen = rows[:, None] if images.index is None else rows[images.index]  # (B, S, D)
        if seen.shape[1] != self.config.num_images:
            given, wanted = seen.shape[1], self.config.num_images
            raise ValueError(f"this model reads {wanted} image(s) per example, the batch has {given}")
        index = text.index if text.index is not None else torch.arange(len(seen), device=seen.device)[:, None]
        read = self._read(text, index, seen)
        joined = self.join(seen, read)
        return Output(self.heads(self.dropout(joined)), {"text": read, "joined": joined})

    def evidence(self) -> tuple[Evidence, ...]:
        """Attention inside ViT, where it is of our own layers."""
        if not isinstance(self.vision, VisionTransformer):
            return ()
        name = {module: name for name, module in self.named_modules()}
        taps = tuple(name[tap] for tap in self.vision.taps())
        return (Evidence("attention", "images", "images", taps, "patches look at patches"),)

    def image_positions(self) -> int:
        """1 + P for a vision transformer of our own; 0 for any other encoder."""
        return self.vision.num_positions if isinstance(self.vision, VisionTransformer) else 0

    def get_input_embeddings(self) -> nn.Module:
        """The table of word pieces, where gradients of the text are taken."""
        return self.words

    def get_image_embeddings(self) -> nn.Module | None:
        """What makes patches into vectors, where gradients of the image are taken; None without such."""
        return self.vision.embedding if isinstance(self.vision, VisionTransformer) else None

    def _read(self, text: Text, index: Tensor, images: Tensor) -> Tensor:
        """Text (I, T), index (B, K), images (B, S, D) -> (B, K, S, D'): the state after the last real word."""
        words = self.words(text.input_ids)[index]  # (B, K, T, W)
        lengths = text.attention_mask.sum(1)[index]  # (B, K)
        each = words[:, :, None].expand(-1, -1, images.shape[1], -1, -1)  # (B, K, S, T, W)
        beside = images[:, None, :, None].expand(-1, words.shape[1], -1, words.shape[2], -1)
        if self.first_step is None:
            steps, last = torch.cat([each, beside], -1), lengths - 1
        else:
            steps, last = torch.cat([self.first_step(beside[..., :1, :]), each], -2), lengths
        states, _ = self.lstm(steps.flatten(0, 2))  # padding comes after the words, where nobody looks
        places = last[:, :, None].expand(-1, -1, images.shape[1]).flatten()
        found = states[torch.arange(len(states), device=states.device), places]
        return found.unflatten(0, each.shape[:3])

    def _streams(self, batch: Batch) -> tuple[Text, Images]:
        text = batch.more.get("choices") if self.config.num_choices else batch.text
        if not isinstance(text, Text):
            section = "choices" if self.config.num_choices else "text"
            raise ValueError(f"ViT-LSTM needs a stream {section!r}; add a [{section}] section to the recipe")
        if batch.images is None:
            raise ValueError("ViT-LSTM needs whole images; add an [images] section to the recipe")
        return text, batch.images


Model = VitLstm
