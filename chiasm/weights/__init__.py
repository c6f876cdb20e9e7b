"""Published weights <-> ours: a file here is a family of models, found by its name.

A weights file whose weights are written too defines

    FORMATS: Mapping[str, str]                # the ways to write these weights, each with what it is
    def convert(source: str, destination: Path, *, to: str = "", overwrite: bool = False, **options) -> Conversion
    def from_pretrained(source: str) -> CrossModalModel

`convert` raises `WeightsError` for a missing, unexpected or wrongly shaped tensor, and names it. A family that training
may begin from also defines

    MODELS: frozenset[str]                    # as a `config.json` names its models
    def claims(found: Source) -> bool         # whether these tensors are its own
    def of_source(found: Source) -> Published
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

from torch import Tensor

from chiasm.registry import find, names


@dataclass(frozen=True)
class Conversion:
    """What was converted."""

    model: str  # the model file whose weights these are
    tensors: int  # as written
    parameters: int
    given: str  # the format that was read
    made: str  # the format that was written


class Published(Protocol):
    """Published tensors under our names."""

    @property
    def model(self) -> str:
        """The model file that they are of."""

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """By our names: of the whole model, or of a part of it."""


def weights_names() -> list[str]:
    """All families of published weights."""
    return names(__name__, __path__)


def weights(name: str) -> ModuleType:
    """The weights file `name`; an unknown one is an error with the nearest known name."""
    return find(__name__, __path__, name, what="family of weights")


def is_published(source: Path) -> bool:
    """Whether this is a file of tensors, or a folder whose `config.json` names a family's model; no tensor is read."""
    from chiasm.weights._files import CONFIG, PICKLED, read_json

    if not source.is_dir():
        return source.suffix in (".safetensors", *PICKLED)
    config = read_json(source / CONFIG) if (source / CONFIG).is_file() else {}
    named = {config.get("model"), config.get("model_type")}
    return any(named & family.MODELS for family in _starting())


def read_published(source: Path) -> Published:
    """The weights in `source`, by the family that claims them. Raises WeightsError when none does."""
    from chiasm.weights._files import read_source
    from chiasm.weights._renaming import WeightsError

    found = read_source(source)
    for family in _starting():
        if family.claims(found):
            weights: Published = family.of_source(found)
            return weights
    known = ", ".join(sorted(model for family in _starting() for model in family.MODELS))
    raise WeightsError(f"these {len(found.tensors)} tensors are of no model whose weights are known here: {known}")


def _starting() -> list[ModuleType]:
    """The families that training may begin from."""
    return [family for family in map(weights, weights_names()) if hasattr(family, "claims")]
