"""Ways to say how much each word and region mattered: a file here is a method, found by its name.

A method file defines

    TITLE: str                                                        # for tables and pictures
    def attribute(probe: Probe) -> dict[str, Tensor]                  # stream -> (rows, K) relevance

where higher is more relevant, and a stream that the answer does not depend on is left out.
"""

from __future__ import annotations

from types import ModuleType

from chiasm.registry import find, names


def method_names() -> list[str]:
    """All methods."""
    return names(__name__, __path__)


def method(name: str) -> ModuleType:
    """The method file `name`; an unknown one is an error with the nearest known name."""
    return find(__name__, __path__, name, what="attribution method")
