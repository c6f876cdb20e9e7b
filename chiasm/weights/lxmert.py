"""LXMERT's published weights <-> ours (sheet `lxmert`, section 11).

The original code's files, Hugging Face's folders and ours hold the same tensors under other names:

    original      bert.* cls.* obj_predict_head.* answer_head.*   pre-training (473 keys), with or without "module."
                  lxrt_encoder.model.[module.]bert.* logit_fc.*   fine-tuned
    huggingface   lxmert.* and the heads                          LxmertForPreTraining, LxmertForQuestionAnswering
    chiasm        encoder.* and the heads                         models `lxmert_pretraining` and `lxmert`; bundles too

Every key must find its place and every tensor its shape: otherwise an error names it. Sizes are read off the tensors.
Files may leave out `cls.predictions.decoder.weight`, which is the table of word pieces once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chiasm.models import CrossModalModel
from chiasm.models import lxmert as answering
from chiasm.models import lxmert_pretraining as pretraining
from chiasm.objectives import Objective
from chiasm.weights import Conversion
from chiasm.weights._files import PICKLED, Source, read_source, write_file, write_folder
from chiasm.weights._lxmert_names import TABLE, TIED, encoder_names, model_names
from chiasm.weights._renaming import Names, WeightsError, check_shapes, rename_in, rename_out

__all__ = ["FORMATS", "MODELS", "Weights", "WeightsError", "claims", "convert", "encoder_names", "from_pretrained"]
__all__ += ["load", "of_source", "read", "rename_in", "rename_out"]

FORMATS: Mapping[str, str] = {
    "chiasm": "a folder with model.safetensors and config.json, our names",
    "huggingface": "a folder that transformers' LxmertForPreTraining or LxmertForQuestionAnswering loads",
    "original": "a .pth file as the original code saves it, without the prefix of data-parallel training",
}
HEAD_SIZE = 64  # of BERT's attention heads: the number of heads leaves no trace in the tensors
MODELS = frozenset({"lxmert", "lxmert_pretraining"})  # as a config.json names them
_FILES = {"lxmert": answering, "lxmert_pretraining": pretraining}
_OURS = "encoder.text_embedding.words.weight"
_TASK = "lxrt_encoder.model."
_DROPOUTS = {"hidden_dropout": "hidden_dropout_prob", "attention_dropout": "attention_probs_dropout_prob"}


@dataclass(frozen=True)
class Weights:
    """LXMERT's tensors under our names, and the model they are of."""

    model: str  # "lxmert" or "lxmert_pretraining"
    config: answering.Config
    tensors: Mapping[str, Tensor]
    given: str  # the format they were read from

    def build(self, objectives: Mapping[str, Objective] | None = None) -> CrossModalModel:
        """The model that holds these tensors, in evaluation mode."""
        model = _empty(self.model, self.config, objectives)
        check_shapes(model.state_dict(), self.tensors)
        model.load_state_dict({name: tensor.float() for name, tensor in self.tensors.items()}, assign=True)
        return model.eval()


def from_pretrained(source: str | Path, objectives: Mapping[str, Objective] | None = None) -> CrossModalModel:
    """The model in a file, a folder or a repository on the Hub ("unc-nlp/lxmert-base-uncased"), in float32.

    Pre-training weights make a `lxmert_pretraining` model, fine-tuned ones a `lxmert` model. `objectives` are those of
    a task, for training. Raises WeightsError.
    """
    return read(source).build(objectives)


def read(source: str | Path) -> Weights:
    """The weights in any of the formats. Raises WeightsError naming what is missing, unexpected or misshapen."""
    return of_source(read_source(source))


def claims(found: Source) -> bool:
    """Whether these are LXMERT's weights, by the names of the tensors or of the model in `config.json`."""
    named = found.config.get("model", found.config.get("model_type"))
    return named in MODELS or (named is None and (_OURS in found.tensors or TABLE in _canonical(found.tensors)))


def of_source(found: Source) -> Weights:
    """LXMERT's weights, published or ours. Raises WeightsError naming what is missing, unexpected or misshapen."""
    weights = _ours(found) if _OURS in found.tensors else _theirs(found)
    check_shapes(_empty(weights.model, weights.config).state_dict(), weights.tensors)
    return weights


def load(model: CrossModalModel, tensors: Mapping[str, Tensor]) -> None:
    """Put published tensors, under any of their names, into a model of ours. Raises WeightsError."""
    given = _theirs(Source(tensors)).tensors
    check_shapes(model.state_dict(), given)
    model.load_state_dict(dict(given))


def convert(
    source: str | Path,
    destination: Path,
    *,
    to: str = "",
    overwrite: bool = False,
    module: bool = False,
    shared_cross_attention: bool = True,
) -> Conversion:
    """Write the weights in `source` to `destination` in the format `to` (see `FORMATS`).

    Without `to`, a destination that ends in .pth, .pt or .bin is "original" and another one "chiasm". `module` writes
    the prefix of data-parallel training, which the original loaders expect of some files. With
    `shared_cross_attention=False` our model gets a cross-attention for each direction, both as published.
    Raises WeightsError.
    """
    form = to or ("original" if destination.suffix in PICKLED else "chiasm")
    if form not in FORMATS:
        raise WeightsError(f"unknown format {form!r}; known: {', '.join(FORMATS)}")
    if not shared_cross_attention and form != "chiasm":
        raise WeightsError("separate cross-attention is no published form: only the format chiasm has it")
    if module and form != "original":
        raise WeightsError("the prefix of data-parallel training (module) belongs to the format original")
    weights = read(source)
    if form == "chiasm":
        made = weights if shared_cross_attention else _separated(weights)
        tensors = made.tensors
        config = {"format": 1, "model": made.model, "config": asdict(made.config)}
        write_folder(destination, tensors, config, overwrite=overwrite)
    elif form == "huggingface":
        tensors = _huggingface(weights)
        write_folder(destination, tensors, _huggingface_config(weights), overwrite=overwrite)
    else:
        tensors = _original(weights, module=module)
        write_file(destination, tensors, overwrite=overwrite)
    parameters = sum(tensor.numel() for tensor in weights.tensors.values())
    return Conversion(weights.model, len(tensors), parameters, weights.given, form)


def _ours(found: Source) -> Weights:
    """What this package wrote: a bundle, a converted folder, or a lone file, whose sizes are then read off."""
    if not found.config:
        model = "lxmert_pretraining" if "word_head.bias" in found.tensors else "lxmert"
        published = rename_out(found.tensors, model_names(model, _layers(found.tensors)))
        return Weights(model, _config(model, published, {}), found.tensors, "chiasm")
    model, values = str(found.config.get("model")), found.config.get("config")
    if model not in _FILES or not isinstance(values, dict):
        raise WeightsError(f"config.json is of the model {model!r}; known here: {', '.join(_FILES)}")
    try:
        return Weights(model, _FILES[model].Config(**values), found.tensors, "chiasm")
    except TypeError as error:
        raise WeightsError(f"config.json does not fit the model {model!r}: {error}") from error


def _theirs(found: Source) -> Weights:
    """What the original code or transformers wrote."""
    tensors = _canonical(found.tensors)
    if TABLE not in tensors:
        raise WeightsError(f"these are no weights of LXMERT: {TABLE} is not among {len(tensors)} tensors")
    tied = tensors.pop(TIED, None)
    if tied is not None and not torch.equal(tied, tensors[TABLE]):
        raise WeightsError(f"{TIED} differs from {TABLE}; LXMERT has one tensor for both")
    model = "lxmert_pretraining" if any(key.startswith("cls.") for key in tensors) else "lxmert"
    names: Names = model_names(model, _layers(tensors))
    renamed = rename_in(tensors, names)
    given = "huggingface" if found.config or any(key.startswith("lxmert.") for key in found.tensors) else "original"
    return Weights(model, _config(model, tensors, found.config), renamed, given)


def _canonical(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors by the names of the original pre-training file without "module."."""
    found: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        name = key.removeprefix("module.").removeprefix(_TASK).removeprefix("module.")
        name = re.sub(r"^lxmert\.", "bert.", name)
        name = re.sub(r"^logit_fc\.", "answer_head.logit_fc.", name)
        if name in found:
            raise WeightsError(f"two tensors are {name}: one of them is called {key}")
        found[name] = tensor
    return found


def _layers(keys: Iterable[str]) -> tuple[int, int, int]:
    """How many language, object and cross layers there are, by either naming."""
    patterns = (r"(?:layer|language_layers)", r"(?:r_layers|object_layers)", r"(?:x_layers|cross_layers)")
    listed = list(keys)
    found = [{m[1] for key in listed if (m := re.search(rf"encoder\.{p}\.(\d+)\.", key))} for p in patterns]
    language, objects, cross = (len(numbers) for numbers in found)
    return language, objects, cross


def _config(model: str, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> answering.Config:
    """The sizes, read off the tensors (canonical names); what leaves no trace in them, from transformers' config."""
    hidden_act, boxes = values.get("hidden_act", "gelu"), values.get("visual_pos_dim", 4)
    if (hidden_act, boxes) != ("gelu", 4):
        raise WeightsError(f"config.json: hidden_act {hidden_act!r}, visual_pos_dim {boxes}; LXMERT has 'gelu' and 4")
    size = tensors[TABLE].shape[1]
    language, objects, cross = _layers(tensors)

    def rows(key: str, dimension: int = 0) -> int:
        if key not in tensors:
            raise WeightsError(f"these weights do not fit: 1 missing: {key}")
        return tensors[key].shape[dimension]

    config = answering.Config(
        vocab_size=rows(TABLE),
        feature_size=rows("bert.encoder.visn_fc.visn_fc.weight", 1),
        num_labels=rows("answer_head.logit_fc.3.weight"),
        num_images=rows("answer_head.logit_fc.0.weight", 1) // size,
        hidden_size=size,
        num_attention_heads=int(values.get("num_attention_heads", max(1, size // HEAD_SIZE))),
        intermediate_size=rows("bert.encoder.x_layers.0.lang_inter.dense.weight"),
        language_layers=language,
        object_layers=objects,
        cross_layers=cross,
        max_position_embeddings=rows("bert.embeddings.position_embeddings.weight"),
        type_vocab_size=rows("bert.embeddings.token_type_embeddings.weight"),
    )
    dropouts: dict[str, Any] = {ours: float(values[name]) for ours, name in _DROPOUTS.items() if name in values}
    config = replace(config, **dropouts)
    if model == "lxmert":
        return config
    sizes = {
        f"num_{what}": rows(f"obj_predict_head.decoder_dict.{key}.weight")
        for what, key in (("objects", "obj"), ("attributes", "attr"))
    }
    return pretraining.Config(**{**asdict(config), **sizes})


def _published(weights: Weights) -> dict[str, Tensor]:
    """The tensors by canonical names, the word table under both of its names."""
    config = weights.config
    if not config.shared_cross_attention:
        raise WeightsError("weights with a cross-attention for each direction have no published form")
    layers = (config.language_layers, config.object_layers, config.cross_layers)
    tensors = rename_out(weights.tensors, model_names(weights.model, layers))
    if weights.model == "lxmert_pretraining":
        tensors[TIED] = tensors[TABLE]
    return tensors


def _original(weights: Weights, *, module: bool) -> dict[str, Tensor]:
    tensors, prefix = _published(weights), "module." if module else ""
    if weights.model == "lxmert_pretraining":
        return {prefix + name: tensor for name, tensor in tensors.items()}
    return {
        f"{_TASK}{prefix}{name}" if name.startswith("bert.") else name.removeprefix("answer_head."): tensor
        for name, tensor in tensors.items()
    }


def _huggingface(weights: Weights) -> dict[str, Tensor]:
    """As transformers saves it: the word table once."""
    if weights.config.num_images != 1:
        images = weights.config.num_images
        raise WeightsError(f"transformers has no LXMERT that reads {images} images; write the format original")
    tensors = _published(weights)
    tensors.pop(TIED, None)
    return {re.sub(r"^bert\.", "lxmert.", name): tensor for name, tensor in tensors.items()}


def _huggingface_config(weights: Weights) -> dict[str, Any]:
    config = asdict(weights.config)
    architecture = "LxmertForPreTraining" if weights.model == "lxmert_pretraining" else "LxmertForQuestionAnswering"
    same = ("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size", "max_position_embeddings",
            "type_vocab_size", "initializer_range")  # fmt: skip
    other = {
        "l_layers": "language_layers", "r_layers": "object_layers", "x_layers": "cross_layers",
        "visual_feat_dim": "feature_size", "num_qa_labels": "num_labels", "num_object_labels": "num_objects",
        "num_attr_labels": "num_attributes", **{theirs: ours for ours, theirs in _DROPOUTS.items()},
    }  # fmt: skip
    sizes = {name: config[name] for name in same} | {t: config[o] for t, o in other.items() if o in config}
    return {"architectures": [architecture], "model_type": "lxmert", "hidden_act": "gelu", **sizes}


def _separated(weights: Weights) -> Weights:
    """Each direction of the cross-attention with a copy of the weights that both shared."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in weights.tensors.items():
        copies = [name.replace(".cross_attention.", f".cross_attention.{way}_") for way in ("text", "regions")]
        for copy in dict.fromkeys(copies):
            tensors[copy] = tensor.clone()
    return replace(weights, config=replace(weights.config, shared_cross_attention=False), tensors=tensors)


def _empty(model: str, config: answering.Config, objectives: Mapping[str, Objective] | None = None) -> CrossModalModel:
    """The model without values."""
    with torch.device("meta"):
        built: CrossModalModel = _FILES[model].Model(config, objectives or {})
    return built
