"""Generated data of further kinds: a file here is a kind of world, found by its name.

A file defines

    Options                                                 # frozen dataclass of plain values, checked when made
    VERSION: int                                            # raised when the same options give other bytes
    def write(folder: Path, options: Options, *, seed: int) -> None    # in the official format it imitates
"""

from __future__ import annotations

from dataclasses import fields
from types import ModuleType
from typing import Any

from chiasm.registry import find, names, nearest
from chiasm.synth.options import WorldError


def world_names() -> list[str]:
    """All kinds defined here."""
    return names(__name__, __path__)


def world(name: str) -> ModuleType:
    """The file of the kind `name`; an unknown one is an error with the nearest known name."""
    return find(__name__, __path__, name, what="kind of world")


def options(kind: str, given: dict[str, Any]) -> Any:
    """The `Options` of a kind. Raises `WorldError` naming the nearest known option, or what is wrong with a value."""
    made = world(kind).Options
    known = [field.name for field in fields(made)]
    for name in given:
        if name not in known:
            raise WorldError(nearest(name, known, what=f"option of a world of {kind}"))
    try:
        return made(**{name: tuple(v) if isinstance(v, list) else v for name, v in given.items()})
    except (TypeError, ValueError) as error:
        raise WorldError(f"a world of {kind}: {error}") from error
