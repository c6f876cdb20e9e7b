"""CMR's published weights <-> ours (sheet `cmr`, section 7), and what it begins with: the encoder of an LXMERT.

    original   bert_encoder.model.bert.* lang_conv1.* ...   as CMR's code saves it (519 keys), with or without "module."
    chiasm     encoder.* text_side.* ...                    the model `cmr_released`; bundles too
    lxmert     bert.*                                       the encoder alone (449 keys), as LXMERT's code names it

An LXMERT, in any format of `chiasm.weights.lxmert`, gives the encoder alone, without LXMERT's heads: training begins
from it (`training.start`). The paper's model `cmr` has no published weights; it begins with an LXMERT and a BERT.

Every key must find its place and every tensor its shape: otherwise an error names it. Sizes are read off the tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chiasm.models import cmr_released as released
from chiasm.models import lxmert as encoders
from chiasm.objectives import Objective
from chiasm.weights import Conversion, lxmert
from chiasm.weights._cmr_names import ENCODER, TABLE, published_encoder, published_names, restacked
from chiasm.weights._files import PICKLED, Source, read_source, write_file, write_folder
from chiasm.weights._lxmert_names import encoder_names
from chiasm.weights._renaming import WeightsError, check_shapes, rename_in, rename_out
from chiasm.weights.lxmert import HEAD_SIZE

__all__ = ["FORMATS", "MODELS", "Weights", "WeightsError", "claims", "convert", "from_pretrained", "of_source", "read"]

FORMATS: Mapping[str, str] = {
    "chiasm": "a folder with model.safetensors and config.json, our names",
    "original": "a .pth file as CMR's code saves it, without the prefix of data-parallel training",
    "lxmert": "a .pth file with the encoder alone, as LXMERT's code names it",
}
MODELS = frozenset({"cmr_released"})  # as a config.json names them
_OURS = "encoder.text_embedding.words.weight"


@dataclass(frozen=True)
class Weights:
    """CMR's tensors under our names, and the model they are of."""

    config: released.Config
    tensors: Mapping[str, Tensor]
    given: str  # the format they were read from
    whole: bool  # False: the encoder alone
    model: str = "cmr_released"

    def build(self, objectives: Mapping[str, Objective] | None = None) -> released.CmrReleased:
        """The model that holds these tensors, in evaluation mode. Raises WeightsError for an encoder alone."""
        if not self.whole:
            raise WeightsError("these weights are an encoder alone: training begins from them, they answer nothing")
        with torch.device("meta"):
            model = released.CmrReleased(self.config, objectives or {})
        check_shapes(model.state_dict(), self.tensors)
        model.load_state_dict({name: tensor.float() for name, tensor in self.tensors.items()}, assign=True)
        return model.eval()


def from_pretrained(source: str | Path, objectives: Mapping[str, Objective] | None = None) -> released.CmrReleased:
    """The model in a published file, a converted folder or a bundle, in float32. Raises WeightsError."""
    return read(source).build(objectives)


def read(source: str | Path) -> Weights:
    """The weights in any of the formats; of an LXMERT its encoder. Raises WeightsError naming what does not fit."""
    found = read_source(source)
    if not claims(found):
        return _from_lxmert(found)
    return of_source(found)


def claims(found: Source) -> bool:
    """Whether these are CMR's weights, by the names of the tensors or of the model in `config.json`."""
    return found.config.get("model") in MODELS or any(_plain(key).startswith(ENCODER) for key in found.tensors)


def of_source(found: Source) -> Weights:
    """CMR's weights, published or ours. Raises WeightsError naming what is missing, unexpected or misshapen."""
    weights = _ours(found) if _OURS in found.tensors else _theirs(found)
    with torch.device("meta"):
        wanted = released.CmrReleased(weights.config, {}).state_dict()
    check_shapes({n: t for n, t in wanted.items() if weights.whole or n.startswith("encoder.")}, weights.tensors)
    return weights


def convert(
    source: str | Path,
    destination: Path,
    *,
    to: str = "",
    overwrite: bool = False,
    module: bool = False,
) -> Conversion:
    """Write the weights in `source` to `destination` in the format `to` (see `FORMATS`).

    Without `to`, a destination that ends in .pth, .pt or .bin is "original" and another one "chiasm". `module` writes
    the prefix of data-parallel training. Raises WeightsError.
    """
    form = to or ("original" if destination.suffix in PICKLED else "chiasm")
    if form not in FORMATS:
        raise WeightsError(f"unknown format {form!r}; known: {', '.join(FORMATS)}")
    if module and form == "chiasm":
        raise WeightsError("the prefix of data-parallel training (module) belongs to the formats original and lxmert")
    weights = read(source)
    if form == "chiasm":
        tensors = dict(weights.tensors)
        config = {"format": 1, "model": weights.model, "config": asdict(weights.config)}
        part = {} if weights.whole else {"part": "encoder"}
        write_folder(destination, tensors, config | part, overwrite=overwrite)
    else:
        prefix = "module." if module else ""
        tensors = {prefix + name: tensor for name, tensor in _written(weights, form).items()}
        write_file(destination, tensors, overwrite=overwrite)
    parameters = sum(tensor.numel() for tensor in tensors.values())
    made = form if weights.whole and form != "lxmert" else f"{form} (the encoder alone)"
    return Conversion(weights.model, len(tensors), parameters, weights.given, made)


def _written(weights: Weights, form: str) -> dict[str, Tensor]:
    """The tensors under published names: CMR's, or LXMERT's of the encoder."""
    layers = _layers(weights.config)
    if form == "original":
        return rename_out(weights.tensors, (published_names if weights.whole else published_encoder)(*layers))
    if weights.given not in FORMATS:
        raise WeightsError("these are LXMERT's weights already: chiasm convert lxmert writes its formats")
    names = {f"encoder.{key}": tuple(f"bert.{name}" for name in named) for key, named in encoder_names(*layers).items()}
    return rename_out({name: tensor for name, tensor in weights.tensors.items() if name in names}, names)


def _plain(key: str) -> str:
    """A published name without the prefixes of data-parallel training."""
    return key.removeprefix("module.").replace(f"{ENCODER}module.", ENCODER, 1)


def _theirs(found: Source) -> Weights:
    """What CMR's code wrote, or the encoder under its names."""
    tensors: dict[str, Tensor] = {}
    for key, tensor in found.tensors.items():
        if _plain(key) in tensors:
            raise WeightsError(f"two tensors are {_plain(key)}: one of them is called {key}")
        tensors[_plain(key)] = tensor
    whole = any(not key.startswith(ENCODER) for key in tensors)
    config = _sizes(tensors, whole=whole)
    names = (published_names if whole else published_encoder)(*_layers(config))
    return Weights(config, rename_in(tensors, names), "original", whole)


def _ours(found: Source) -> Weights:
    """What this package wrote."""
    model, values, part = (found.config.get(key) for key in ("model", "config", "part"))
    if model not in MODELS or not isinstance(values, dict) or part not in (None, "encoder"):
        raise WeightsError(f"config.json is of the model {model!r}; known here: {', '.join(sorted(MODELS))}")
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    try:
        return Weights(released.Config(**plain), found.tensors, "chiasm", part is None)
    except TypeError as error:
        raise WeightsError(f"config.json does not fit the model {model!r}: {error}") from error


def _from_lxmert(found: Source) -> Weights:
    """LXMERT's encoder as that of `cmr_released`: of a whole model, or alone as the format "lxmert" has it."""
    keys = {_plain(key).removeprefix("bert."): key for key in found.tensors if _plain(key).startswith("bert.")}
    if keys and len(keys) == len(found.tensors):
        alone = {f"{ENCODER}bert.{restacked(name)}": found.tensors[key] for name, key in keys.items()}
        return replace(of_source(Source(alone)), given="lxmert, the encoder alone")
    given = lxmert.of_source(found)
    if not given.config.shared_cross_attention:
        raise WeightsError("CMR has one cross-attention for both directions; this LXMERT has two")
    tensors = {name: tensor for name, tensor in given.tensors.items() if name.startswith("encoder.")}
    both = {f.name for f in fields(encoders.Config)} & {f.name for f in fields(released.Config)}
    sizes: dict[str, Any] = {name: getattr(given.config, name) for name in both - {"num_labels", "num_images"}}
    return Weights(released.Config(**sizes), tensors, f"lxmert, {given.given}", whole=False)


def _layers(config: released.Config) -> tuple[int, int, int]:
    return config.language_layers, config.object_layers, config.cross_layers


def _sizes(tensors: Mapping[str, Tensor], *, whole: bool) -> released.Config:
    """The sizes, read off the tensors; those that leave no trace in them are the published ones."""

    def size(key: str, dimension: int = 0) -> int:
        if key not in tensors:
            raise WeightsError(f"these weights do not fit: 1 missing: {key}")
        return tensors[key].shape[dimension]

    def count(stack: str) -> int:
        return len({m[1] for key in tensors if (m := re.search(rf"\.encoder\.{stack}\.(\d+)\.", key))})

    bert = f"{ENCODER}bert."
    config = released.Config(
        vocab_size=size(TABLE),
        feature_size=size(f"{bert}encoder.visn_fc.visn_fc.weight", 1),
        hidden_size=size(TABLE, 1),
        num_attention_heads=max(1, size(TABLE, 1) // HEAD_SIZE),
        intermediate_size=size(f"{bert}encoder.cross_layers.0.lang_inter.dense.weight"),
        language_layers=count("single_bert_layer"),
        object_layers=count("single_layers"),
        cross_layers=count("cross_layers"),
        max_position_embeddings=size(f"{bert}embeddings.position_embeddings.weight"),
        type_vocab_size=size(f"{bert}embeddings.token_type_embeddings.weight"),
    )
    if not whole:
        return config
    hidden = tuple(size(f"final_classifier.{layer}.weight") for layer in (0, 3, 5))
    return replace(config, num_labels=size("final_classifier.7.weight"), classifier_sizes=hidden)
