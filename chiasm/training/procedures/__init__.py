"""The ways of training: a file here is a procedure, found by its name.

A procedure file defines `run(setup: Setup, *, ...) -> Outcome`; the keywords are the recipe's
`[training.procedure_options]`. When it returns, `setup.model` holds the weights to keep. Most procedures hand a
`Learner` of their own to `Loop` (adversarial, bilevel: what one step does), some run several loops one after the
other (stages), some none (closed form).
"""

from __future__ import annotations

from types import ModuleType

from chiasm.registry import find, names


def procedure_names() -> list[str]:
    """All procedures."""
    return names(__name__, __path__)


def procedure(name: str) -> ModuleType:
    """The procedure file `name`; an unknown one is an error with the nearest known name."""
    return find(__name__, __path__, name, what="procedure")
