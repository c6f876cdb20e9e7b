"""The folder is the registry: what a folder holds is found by file name, without a central list."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType


class UnknownName(Exception):
    """A name that is not known; the message gives the nearest ones."""


def nearest(name: str, known: Iterable[str], *, what: str) -> str:
    """The sentence that refuses an unknown `name`: "unknown recipe 'dmo'; did you mean 'demo'?"."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"known: {', '.join(known)}"
    return f"unknown {what} {name!r}; {hint}"


def names(package: str, path: Iterable[str]) -> list[str]:
    """The module names in a package folder; names that begin with an underscore are private."""
    return sorted(m.name for m in pkgutil.iter_modules(list(path)) if not m.name.startswith("_"))


def find(package: str, path: Iterable[str], name: str, *, what: str) -> ModuleType:
    """The module `name` of `package`. Raises `UnknownName` with the nearest known name."""
    known = names(package, path)
    if name not in known:
        raise UnknownName(nearest(name, known, what=what))
    return importlib.import_module(f"{package}.{name}")
