"""The optimisers: a file here is one, found by its name.

Each defines `build(parameters, lr, weight_decay, *, ...) -> Optimizer`, where `parameters` are (name, parameter)
pairs; the keywords are the recipe's `[training.optimizer_options]`.
"""

from __future__ import annotations

from types import ModuleType

from chiasm.registry import find, names


def optimiser_names() -> list[str]:
    """All optimisers."""
    return names(__name__, __path__)


def optimiser(name: str) -> ModuleType:
    """The optimiser file `name`; an unknown one is an error with the nearest known name."""
    return find(__name__, __path__, name, what="optimizer")
