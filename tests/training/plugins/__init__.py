"""A small model, task and source, put beside the package's own for the tests of training: `install` does it.

The world: two words of ten; the answer is whether the first comes before the second in the alphabet, with an
unlearnable twist in none of them. Everything learns it in seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import chiasm.data.sources
import chiasm.models
import chiasm.tasks

FOLDER = Path(__file__).parent
PACKAGES: dict[Any, str] = {chiasm.models: "models", chiasm.tasks: "tasks", chiasm.data.sources: "sources"}


def paths() -> dict[Any, list[str]]:
    """package -> the search path with the plug-ins."""
    return {package: [*package.__path__, str(FOLDER / name)] for package, name in PACKAGES.items()}


def install() -> None:
    """For a process of its own; in the test process use the fixture, which takes it back."""
    for package, path in paths().items():
        package.__path__ = path
