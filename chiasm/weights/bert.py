"""BERT's published weights -> LXMERT's language layers, embeddings and word head (sheet `lxmert`, section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from chiasm.weights.lxmert import WeightsError, encoder_names

Layers = Literal["bottom", "top"]
_HEADS = {
    "word_head.dense.weight": "cls.predictions.transform.dense.weight",
    "word_head.dense.bias": "cls.predictions.transform.dense.bias",
    "word_head.norm.weight": "cls.predictions.transform.LayerNorm.weight",
    "word_head.norm.bias": "cls.predictions.transform.LayerNorm.bias",
    "word_head.bias": "cls.predictions.bias",
    "matching_head.weight": "cls.seq_relationship.weight",
    "matching_head.bias": "cls.seq_relationship.bias",
}


def read_bert(folder: Path) -> dict[str, Tensor]:
    """A BERT as `transformers` saves it, under the names of its encoder: "embeddings....", "encoder.layer.0....".

    "gamma" and "beta" of old files are called weight and bias. Raises `WeightsError`.
    """
    file = folder / "model.safetensors"
    if not file.is_file():
        raise WeightsError(f"{folder} holds no BERT: model.safetensors is not there (other formats are not read)")
    try:
        tensors = load_file(file)
    except SafetensorError as error:
        raise WeightsError(f"{file} cannot be read: {error}") from error
    modern = {"gamma": "weight", "beta": "bias"}
    renamed = {}
    for name, tensor in tensors.items():
        stem, _, last = name.removeprefix("bert.").rpartition(".")
        renamed[f"{stem}.{modern.get(last, last)}"] = tensor
    return renamed


def language_weights(bert: Mapping[str, Tensor], layers: int, *, which: Layers = "bottom") -> dict[str, Tensor]:
    """The first or last `layers` of BERT's layers, its embeddings and pooler, under our encoder's names.

    # Differs: the released code loads the bottom nine layers, because it matches names; the paper's footnote 10 says
    the top nine. Raises `WeightsError` naming what is missing.
    """
    prefix = "encoder.layer."
    found = {int(name.removeprefix(prefix).split(".")[0]) for name in bert if name.startswith(prefix)}
    if layers > len(found):
        raise WeightsError(f"this BERT has {len(found)} layers, {layers} are asked for")
    first = len(found) - layers if which == "top" else 0
    weights = {}
    for ours, theirs in encoder_names(layers, 0, 0).items():
        if ours.startswith("region_embedding."):
            continue
        keys = [_shifted(key, first) for key in theirs]
        missing = [key for key in keys if key not in bert]
        if missing:
            raise WeightsError(f"this is no BERT that fits: {missing[0]} is missing")
        weights[f"encoder.{ours}"] = torch.cat([bert[key] for key in keys])
    return weights


def head_weights(bert: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """BERT's heads for masked words and for the next sentence, those that the file holds, under our names."""
    return {ours: bert[theirs] for ours, theirs in _HEADS.items() if theirs in bert}


def _shifted(key: str, first: int) -> str:
    """The key of the layer that is `first` further up."""
    if not key.startswith("encoder.layer."):
        return key
    number, _, rest = key.removeprefix("encoder.layer.").partition(".")
    return f"encoder.layer.{int(number) + first}.{rest}"
