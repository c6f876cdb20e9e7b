"""Published weights <-> ours: a file here is a family of models, found by its name.

A weights file whose weights are written too defines

    FORMATS: Mapping[str, str]                # the ways to write these weights, each with what it is
    def convert(source: str, destination: Path, *, to: str = "", overwrite: bool = False, **options) -> Conversion
    def from_pretrained(source: str) -> CrossModalModel

`convert` raises `WeightsError` for a missing, unexpected or wrongly shaped tensor, and names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from chiasm.registry import find, names


@dataclass(frozen=True)
class Conversion:
    """What was converted."""

    model: str  # the model file whose weights these are
    tensors: int  # as written
    parameters: int
    given: str  # the format that was read
    made: str  # the format that was written


def weights_names() -> list[str]:
    """All families of published weights."""
    return names(__name__, __path__)


def weights(name: str) -> ModuleType:
    """The weights file `name`; an unknown one is an error with the nearest known name."""
    return find(__name__, __path__, name, what="family of weights")
