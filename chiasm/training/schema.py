"""What a section of a recipe may hold: keys and types, taken from a dataclass or from a function's keywords.

There is no second list of options anywhere: a model's `Config`, a task's `__init__` and `Training` are the schema.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from chiasm.registry import nearest
from chiasm.training.errors import RecipeError

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path", dict: "a table"}


@dataclass(frozen=True)
class Schema:
    """The keys a section may hold, with their types, and whether it takes further keys."""

    types: Mapping[str, Any]
    required: frozenset[str] = frozenset()
    open: bool = False

    def check(self, values: Mapping[str, Any], section: str) -> dict[str, Any]:
        """`values`, each brought to its type. Raises `RecipeError` naming the key's path."""
        for key in values:
            if key not in self.types and not self.open:
                raise RecipeError(f"{section}: {nearest(key, self.types, what='key')}")
        missing = sorted(self.required - set(values))
        if missing:
            raise RecipeError(f"{section}: missing {', '.join(missing)}")
        return {k: typed(v, self.types.get(k, Any), f"{section}.{k}") for k, v in values.items()}


def of_dataclass(cls: type) -> Schema:
    """The fields of a dataclass."""
    hints = typing.get_type_hints(cls)
    known = [f for f in fields(cls) if f.init]
    required = {f.name for f in known if f.default is MISSING and f.default_factory is MISSING}
    return Schema({f.name: hints[f.name] for f in known}, frozenset(required))


def of_function(function: Callable[..., Any], *, skip: int = 0) -> Schema:
    """The named parameters of a function after the first `skip` ones (self, or what a run passes in)."""
    hints = typing.get_type_hints(function)
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    required = {p.name for p in named if p.default is p.empty}
    is_open = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return Schema({p.name: hints.get(p.name, Any) for p in named}, frozenset(required), is_open)


def of_constructor(cls: Any) -> Schema:
    """The keywords of a class."""
    return of_function(cls.__init__, skip=1)


def typed(value: Any, expected: Any, path: str) -> Any:
    """`value` as the annotation `expected` wants it (a list becomes a tuple, a whole number a float).

    Raises `RecipeError` with the path, what was expected and what was given.
    """
    if expected is Any or expected is object:
        return value
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        return _one_of(value, expected, path)
    if origin is typing.Literal:
        return _literal(value, arguments, path)
    container = origin or expected
    if container is type(None) and value is None:
        return None
    if container in (tuple, list, set, frozenset, Sequence) and isinstance(value, list | tuple):
        return _items(value, container, arguments, path)
    if container in (dict, Mapping) and isinstance(value, Mapping):
        inner = arguments[1] if arguments else Any
        return {str(k): typed(v, inner, f"{path}.{k}") for k, v in value.items()}
    if container is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if container is Path and isinstance(value, str):
        return Path(value)
    is_number_as_bool = isinstance(value, bool) and container is not bool
    if isinstance(container, type) and isinstance(value, container) and not is_number_as_bool:
        return value
    raise RecipeError(f"{path}: expected {described(expected)}, got {value!r} ({described(type(value))})")


def _one_of(value: Any, expected: Any, path: str) -> Any:
    for choice in typing.get_args(expected):
        try:
            return typed(value, choice, path)
        except RecipeError:
            continue
    raise RecipeError(f"{path}: expected {described(expected)}, got {value!r} ({described(type(value))})")


def _literal(value: Any, choices: Sequence[Any], path: str) -> Any:
    if value in choices and type(value) in {type(choice) for choice in choices}:
        return value
    if isinstance(value, str):
        raise RecipeError(f"{path}: {nearest(value, [str(c) for c in choices], what='value')}")
    raise RecipeError(f"{path}: expected one of {', '.join(map(repr, choices))}, got {value!r}")


def _items(value: Sequence[Any], container: Any, arguments: Sequence[Any], path: str) -> Any:
    """Each item typed, in a tuple or list as asked; a tuple of fixed length must have it."""
    make = list if container in (list, Sequence) else container
    if container is tuple and arguments and arguments[-1] is not Ellipsis:
        if len(value) != len(arguments):
            raise RecipeError(f"{path}: expected {len(arguments)} items, got {len(value)}")
        return tuple(typed(v, a, f"{path}[{i}]") for i, (v, a) in enumerate(zip(value, arguments, strict=True)))
    inner = arguments[0] if arguments else Any
    return make(typed(v, inner, f"{path}[{i}]") for i, v in enumerate(value))


def described(expected: Any) -> str:
    """A type in words: "a whole number or text", "a list of text"."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(described(choice) for choice in arguments)
    if origin is typing.Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    container = origin or expected
    if container in (tuple, list, Sequence, set, frozenset):
        return f"a list of {described(arguments[0])}" if arguments else "a list"
    if container in (dict, Mapping):
        return "a table"
    if container is type(None):
        return "nothing"
    return _NAMES.get(container, getattr(container, "__name__", str(container)))
