"""The official data sets: a file here is a source, found by its name.

A source file defines

    def read(folder: Path, split: str, **options) -> list[Example]     # raises DataError
    SPLITS: tuple[str, ...]                                            # the usual split names
    FILES: str                                                         # what the folder must hold, for errors and help

and nothing else is registered anywhere.
"""

from __future__ import annotations

from types import ModuleType

from chiasm.registry import find, names


def source_names() -> list[str]:
    """All sources."""
    return names(__name__, __path__)


def source(name: str) -> ModuleType:
    """The source called `name`; an unknown one is an error with the nearest known name."""
    return find(__name__, __path__, name, what="data source")
