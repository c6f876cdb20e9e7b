"""Vision and language encoders by a configuration of `transformers`, or from published weights.

ViT and BERT are built from this library's layers, which record attention and are faster, and take over published
weights exactly; every other encoder (ResNet, DeiT, RoBERTa, ...) is transformers' own, wrapped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from chiasm.batch import Images, Text
from chiasm.encoders.pooled_text import BertText
from chiasm.encoders.published import check_length, check_vocabulary, configuration, published, without_pooler
from chiasm.encoders.vit import VisionTransformer, resized_positions
from chiasm.layers.recording import Tap
from chiasm.layers.transformer import LAYER_NORM_EPS

VIT, BERT = {"model_type": "vit"}, {"model_type": "bert"}  # what a configuration without a type is
# The parts of one layer: our name, then what transformers calls it (in memory since 5.0, in published files).
VIT_LAYER = (
    ("attention_norm", "layernorm_before"),
    ("mlp_norm", "layernorm_after"),
    ("attention.output", "attention.o_proj", "attention.output.dense"),
    ("up", "mlp.fc1", "intermediate.dense"),
    ("down", "mlp.fc2", "output.dense"),
)
VIT_QKV = (
    tuple(f"attention.{part}_proj" for part in ("q", "k", "v")),
    tuple(f"attention.attention.{part}" for part in ("query", "key", "value")),
)
BERT_LAYER = (
    ("self_attention.attention.output", "attention.output.dense"),
    ("self_attention.add_norm.norm", "attention.output.LayerNorm"),
    ("feed_forward.up", "intermediate.dense"),
    ("feed_forward.down", "output.dense"),
    ("feed_forward.add_norm.norm", "output.LayerNorm"),
)
BERT_QKV = (tuple(f"attention.self.{part}" for part in ("query", "key", "value")),)


class TransformersImages(nn.Module):
    """A vision encoder of transformers -> one vector an image.

    Its class token's last state where it has one (DeiT, BEiT, DINOv2, ...), else the mean over the places of its
    last map (ResNet, ConvNeXt, Swin): global average pooling.
    """

    def __init__(self, encoder: Any, *, train_batch_norm: bool = True) -> None:
        super().__init__()
        self.encoder = without_pooler(encoder)
        sizes = getattr(encoder.config, "hidden_sizes", None)
        self.output_size = int(sizes[-1] if sizes else encoder.config.hidden_size)
        last_names = {name.split(".")[-1] for name, _ in encoder.named_parameters()}
        self.has_class_token = bool(last_names & {"cls_token", "class_embedding"})
        self.train_batch_norm = train_batch_norm

    def forward(self, images: Images) -> Tensor:
        """Images (I, C, height, width) -> (I, D)."""
        states: Tensor = self.encoder(pixel_values=images.pixel_values).last_hidden_state
        if self.has_class_token:
            return states[:, 0]
        places = states.flatten(2).mT if states.ndim == 4 else states  # (I, P, D)
        return places.mean(1)

    def train(self, mode: bool = True) -> TransformersImages:
        """Batch normalisation keeps its statistics where it is not to be trained."""
        super().train(mode)
        if not self.train_batch_norm:
            for part in self.modules():
                if isinstance(part, nn.BatchNorm2d):
                    part.eval()
        return self

    def taps(self) -> list[Tap]:
        """None: transformers' own layers record nothing."""
        return []


class TransformersStates(nn.Module):
    """A text encoder of transformers -> the last state of its first position ([CLS], <s>)."""

    def __init__(self, encoder: Any, vocab_size: int) -> None:
        super().__init__()
        self.encoder = without_pooler(encoder)
        config = encoder.config
        check_vocabulary(config, vocab_size)
        self.output_size = int(config.hidden_size)
        self.max_positions = getattr(config, "max_position_embeddings", None)
        self.reads_types = getattr(config, "type_vocab_size", 0) > 1

    def forward(self, text: Text) -> Tensor:
        """Text (B, T) -> (B, D). Raises ValueError for a text longer than the encoder's positions."""
        check_length(text, self.max_positions)
        types = {"token_type_ids": text.token_type_ids} if self.reads_types else {}
        output = self.encoder(input_ids=text.input_ids, attention_mask=text.attention_mask.long(), **types)
        state: Tensor = output.last_hidden_state[:, 0]
        return state

    def taps(self) -> list[Tap]:
        """None: transformers' own layers record nothing."""
        return []

    def word_table(self) -> nn.Module:
        """Where word pieces become vectors."""
        table: nn.Module = self.encoder.get_input_embeddings()
        return table


def image_encoder(
    values: Mapping[str, Any], weights: str = "", *, image_size: int, train_batch_norm: bool = True
) -> tuple[VisionTransformer | TransformersImages, dict[str, Any]]:
    """The vision encoder of a configuration, or of published `weights`, and the plain values that describe it.

    Position embeddings are resized to `image_size`. Raises ValueError when it cannot be built or loaded.
    """
    from transformers import AutoModel

    source = published(weights, what="vision encoder") if weights else None
    config = source.config if source is not None else configuration({**VIT, **values}, section="options.vision")
    if config.model_type != "vit" or config.hidden_act != "gelu":
        encoder = source if source is not None else AutoModel.from_config(config)
        return TransformersImages(encoder, train_batch_norm=train_batch_norm), config.to_dict()
    ours = VisionTransformer(
        image_size,
        config.patch_size,
        config.hidden_size,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.intermediate_size,
        dropout=config.hidden_dropout_prob,
        attention_dropout=config.attention_probs_dropout_prob,
        norm_eps=config.layer_norm_eps,
        initializer_range=config.initializer_range,
    )
    if source is not None:
        ours.load_state_dict(vit_state(source.state_dict(), side=ours.grid[0]))
    return ours, config.to_dict()


def text_encoder(
    values: Mapping[str, Any], weights: str = "", *, vocab_size: int, pooler: bool = False
) -> tuple[BertText | TransformersStates, dict[str, Any]]:
    """The text encoder of a configuration, or of published `weights`, and the plain values that describe it.

    `pooler`: tanh(W h + b) of the [CLS] state h, for BERT only. Raises ValueError when it cannot be built or loaded.
    """
    from transformers import AutoModel

    source = published(weights, what="text encoder") if weights else None
    if source is not None:
        config = source.config
    else:
        config = configuration({**BERT, **values}, section="options.language", vocab_size=vocab_size)
    check_vocabulary(config, vocab_size)
    if not is_plain_bert(config):
        if pooler:
            raise ValueError(f"options.text_pooler is for BERT; the text encoder is {config.model_type!r}")
        return TransformersStates(source or AutoModel.from_config(config), vocab_size), config.to_dict()
    ours = BertText(
        config.vocab_size,
        config.hidden_size,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.intermediate_size,
        max_positions=config.max_position_embeddings,
        dropout=config.hidden_dropout_prob,
        attention_dropout=config.attention_probs_dropout_prob,
        initializer_range=config.initializer_range,
        pooler=pooler,
    )
    if source is not None:
        ours.load_state_dict(bert_state(source.state_dict(), pooler=pooler))
    return ours, config.to_dict()


def is_plain_bert(config: Any) -> bool:
    """Whether a configuration is that of BERT as published, which this library's layers compute."""
    return bool(
        config.model_type == "bert"
        and config.hidden_act == "gelu"
        and config.layer_norm_eps == LAYER_NORM_EPS
        and config.type_vocab_size == 2
        and not config.is_decoder
    )


def vit_state(state: Mapping[str, Tensor], *, side: int) -> dict[str, Tensor]:
    """The weights of transformers' ViTModel under our names, positions resized to `side` x `side` patches.

    Raises ValueError naming a weight that has no place here.
    """
    left = {key.removeprefix("vit."): value for key, value in state.items() if not key.startswith("pooler.")}
    kernel = left.pop("embeddings.patch_embeddings.projection.weight")  # (D, C, side, side)
    found = {
        "embedding.class_token": left.pop("embeddings.cls_token").reshape(-1),
        "embedding.projection.weight": kernel.flatten(1),
        "embedding.projection.bias": left.pop("embeddings.patch_embeddings.projection.bias"),
        "positions": resized_positions(left.pop("embeddings.position_embeddings")[0], side),
        "norm.weight": left.pop("layernorm.weight"),
        "norm.bias": left.pop("layernorm.bias"),
    }
    found |= _layers(left, r"(?:encoder\.layer|layers)\.(\d+)\.(.+)", VIT_LAYER, VIT_QKV, "attention.qkv")
    _refuse_rest(left, "vision transformer")
    return found


def bert_state(state: Mapping[str, Tensor], *, pooler: bool) -> dict[str, Tensor]:
    """The weights of transformers' BertModel under our names. Raises ValueError naming one that has no place here."""
    left = {key.removeprefix("bert."): value for key, value in state.items() if pooler or not key.startswith("pooler.")}
    found = {
        f"embedding.{ours}": left.pop(f"embeddings.{theirs}")
        for ours, theirs in (
            ("words.weight", "word_embeddings.weight"),
            ("positions.weight", "position_embeddings.weight"),
            ("types.weight", "token_type_embeddings.weight"),
            ("norm.weight", "LayerNorm.weight"),
            ("norm.bias", "LayerNorm.bias"),
        )
    }
    if pooler:
        found |= {f"pooler.{part}": left.pop(f"pooler.dense.{part}") for part in ("weight", "bias")}
    found |= _layers(left, r"encoder\.layer\.(\d+)\.(.+)", BERT_LAYER, BERT_QKV, "self_attention.attention.qkv")
    _refuse_rest(left, "BERT")
    return found


def _layers(
    left: dict[str, Tensor],
    pattern: str,
    parts: Sequence[Sequence[str]],
    projections: Sequence[Sequence[str]],
    joined: str,
) -> dict[str, Tensor]:
    """Our names of all layers' weights, taken out of `left`; query, key and value become one matrix."""
    layers: dict[str, dict[str, Tensor]] = {}
    for key in list(left):
        if match := re.fullmatch(pattern, key):
            layers.setdefault(match[1], {})[match[2]] = left.pop(key)
    found = {}
    for number, layer in layers.items():
        for ours, *theirs in parts:
            (name,) = (name for name in theirs if f"{name}.weight" in layer)
            for kind in ("weight", "bias"):
                found[f"layers.{number}.{ours}.{kind}"] = layer.pop(f"{name}.{kind}")
        (qkv,) = (names for names in projections if f"{names[0]}.weight" in layer)
        matrices = [layer.pop(f"{name}.weight") for name in qkv]
        none = torch.zeros(matrices[0].shape[0])  # a model without these biases
        found[f"layers.{number}.{joined}.weight"] = torch.cat(matrices)
        found[f"layers.{number}.{joined}.bias"] = torch.cat([layer.pop(f"{name}.bias", none) for name in qkv])
        left.update({f"layer {number}: {key}": value for key, value in layer.items()})
    return found


def _refuse_rest(left: Mapping[str, Tensor], what: str) -> None:
    if left:
        raise ValueError(f"weights that this {what} has no place for: {', '.join(sorted(left)[:3])}")
