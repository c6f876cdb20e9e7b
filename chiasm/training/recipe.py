"""A recipe: one experiment as a TOML file, checked whole when it is read.

title = "..."
model = "lxmert"
task = "gqa"            # or, with options of the task: [task] name = "gqa", loss = "ce", ...
[data]      source, train, validation, test (lists of splits), options (of the source), world (generated data)
[text] [regions] ...   options of each preprocessor; the sections present say which streams are prepared
[options]   fields of the model's Config
[training]  fields of `Training`
[paper]     printed numbers, free
[tiny.<section>]       what to override so that it runs in seconds, for the standing tests
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import tomli_w

import chiasm.data
import chiasm.models
import chiasm.tasks
from chiasm.data.sources import source
from chiasm.models import model
from chiasm.recipes import recipe_path
from chiasm.registry import UnknownName, find, names, nearest
from chiasm.tasks import task
from chiasm.training import optimisers, procedures, schema
from chiasm.training.errors import RecipeError
from chiasm.training.options import Training

_TEXTS = ("name", "title", "model")  # the keys outside every section
_SECTIONS = ("task", "data", "options", "training", "paper", "tiny")  # any other one is a stream


@dataclass(frozen=True)
class Data:
    """The recipe's `[data]`: which examples."""

    source: str
    train: tuple[str, ...]
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    validation_share: float = 0.0  # of the training images, held out when `validation` is empty
    options: Mapping[str, Any] = field(default_factory=dict)
    world: Mapping[str, Any] | None = None  # what to generate when no data is given: kind, seed, its options


@dataclass(frozen=True)
class Recipe:
    """A checked experiment. `raw` is what the file says; everything else is read from it.

    Make one with `load_recipe` or `Recipe.from_toml`; change one with `with_settings`.
    """

    raw: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "raw", _normal(self.raw))
        _check(self)

    @classmethod
    def from_toml(cls, text: str, *, name: str = "") -> Self:
        """The recipe in a TOML text. Raises `RecipeError`."""
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"recipe {name!r} is not valid TOML: {error}") from error
        return cls({"name": name, **raw} if name else raw)

    @property
    def name(self) -> str:
        return str(self.raw.get("name", "unnamed"))

    @property
    def title(self) -> str:
        return str(self.raw.get("title", self.name))

    @property
    def model(self) -> str:
        return str(self.raw["model"])

    @property
    def task(self) -> str:
        return str(self.raw["task"]["name"])

    @property
    def task_options(self) -> dict[str, Any]:
        return {key: value for key, value in self.raw["task"].items() if key != "name"}

    @property
    def options(self) -> dict[str, Any]:
        """Fields of the model's `Config`."""
        config = schema.of_dataclass(model(self.model).Config)
        return schema.Schema(config.types).check(self.raw.get("options", {}), "options")

    @property
    def streams(self) -> dict[str, dict[str, Any]]:
        """stream -> options of its preprocessor, in the file's order."""
        known = (*_TEXTS, *_SECTIONS)
        return {key: dict(value) for key, value in self.raw.items() if key not in known}

    @cached_property
    def data(self) -> Data:
        return Data(**schema.of_dataclass(Data).check(self.raw["data"], "data"))

    @cached_property
    def training(self) -> Training:
        values = schema.of_dataclass(Training).check(self.raw.get("training", {}), "training")
        try:
            return Training(**values)
        except ValueError as error:
            raise RecipeError(f"training.{error}") from error

    @property
    def paper(self) -> Mapping[str, Any]:
        """The printed numbers."""
        return dict(self.raw.get("paper", {}))

    def with_settings(self, settings: Sequence[str]) -> Self:
        """The recipe with some keys changed: `["training.lr=1e-4", "options.hidden_size=256"]`.

        A value is read as TOML and, if it is not TOML, as text. Raises `RecipeError`.
        """
        raw = copy.deepcopy(dict(self.raw))
        for setting in settings:
            path, equals, text = setting.partition("=")
            keys = path.strip().split(".")
            if not equals or not all(keys):
                raise RecipeError(f"setting {setting!r}: expected section.key=value, e.g. training.lr=1e-4")
            _set(raw, keys, _value(text.strip()))
        return type(self)(raw)

    def tiny(self) -> Self:
        """The recipe with its `[tiny]` overrides: the same experiment in seconds.

        An override of the source drops the old source's options.
        """
        raw = copy.deepcopy(dict(self.raw))
        over = raw.pop("tiny", {})
        if "source" in over.get("data", {}):
            raw["data"].pop("options", None)
        return type(self)(_merged(raw, over))

    def without(self, stream: str) -> Self:
        """The recipe that does not prepare `stream`, for a model that does not read it. Raises `RecipeError`."""
        if stream not in self.streams:
            raise RecipeError(f"recipe {self.name!r}: {nearest(stream, self.streams, what='stream')}")
        return type(self)({key: value for key, value in self.raw.items() if key != stream})

    def to_toml(self) -> str:
        """A TOML text from which the same recipe is read."""
        return tomli_w.dumps(dict(self.raw))

    def identity(self) -> dict[str, Any]:
        """What a run depends on, by path: {"training.lr": 1e-4, ...}. Two runs with the same one do the same."""
        free = {"name", "title", "paper", "tiny"}
        return {key: value for key, value in _flat(self.raw) if key.split(".")[0] not in free}


def load_recipe(name_or_path: str | Path) -> Recipe:
    """The recipe called so in `chiasm/recipes`, or the one in the file with this path (it ends in .toml).

    Raises `UnknownName` with the nearest known name, or `RecipeError`.
    """
    given = str(name_or_path)
    path = Path(given) if given.endswith(".toml") else recipe_path(given)
    if not path.is_file():
        raise RecipeError(f"there is no recipe file {given}")
    return Recipe.from_toml(path.read_text(encoding="utf-8"), name=path.stem)


def modality(name: str) -> ModuleType:
    """The module of `chiasm.data` that prepares the stream `name`. Raises `UnknownName`."""
    package, path = chiasm.data.__name__, chiasm.data.__path__
    if name in names(package, path):
        module = find(package, path, name, what="stream")
        if hasattr(module, "Preprocess"):
            return module
    modules = {known: find(package, path, known, what="stream") for known in names(package, path)}
    streams = [known for known, module in modules.items() if hasattr(module, "Preprocess")]
    raise UnknownName(nearest(name, [*streams, *_SECTIONS, *_TEXTS], what="section"))


def _normal(raw: Mapping[str, Any]) -> dict[str, Any]:
    """`raw` copied, with `task = "gqa"` written as the table it is short for."""
    normal = copy.deepcopy(dict(raw))
    if isinstance(normal.get("task"), str):
        normal["task"] = {"name": normal["task"]}
    return normal


def _check(recipe: Recipe) -> None:
    """Every key and type of a recipe. Raises `RecipeError` naming the recipe and the key."""
    try:
        _check_sections(recipe.raw)
        schema.of_constructor(task(recipe.task).Task).check(recipe.task_options, "task")
        read = schema.of_function(source(recipe.data.source).read, skip=2)
        schema.Schema(read.types, open=read.open).check(recipe.data.options, "data.options")
        for stream, options in recipe.streams.items():
            schema.of_constructor(modality(stream).Preprocess).check(options, stream)
        _ = recipe.options
        _check_training(recipe.training)
    except (RecipeError, UnknownName) as error:
        raise RecipeError(f"recipe {recipe.name!r}: {error}") from error


def _check_sections(raw: Mapping[str, Any]) -> None:
    """The kinds of the top keys, before any of them is looked into."""
    for key in _TEXTS:
        schema.typed(raw.get(key, ""), str, key)
    for key in ("model", "task", "data"):
        if key not in raw:
            raise RecipeError(f"missing {key}")
    for key, value in raw.items():
        if key not in _TEXTS and not isinstance(value, Mapping):
            known = [*_TEXTS, *_SECTIONS]
            raise RecipeError(nearest(key, known, what="key") if key not in known else f"{key}: expected a table")
    if not isinstance(raw["task"].get("name"), str):
        raise RecipeError("task.name: missing (the task's name)")
    for section in raw.get("tiny", {}):
        if section not in raw and section not in _SECTIONS:
            raise RecipeError(f"tiny: {nearest(section, raw, what='section')}")


def _check_training(options: Training) -> None:
    """The names in `[training]` that are files, and the options these take."""
    build = optimisers.optimiser(options.optimizer).build
    schema.of_function(build, skip=3).check(options.optimizer_options, "training.optimizer_options")
    run = procedures.procedure(options.procedure).run
    schema.of_function(run, skip=1).check(options.procedure_options, "training.procedure_options")
    if options.start_options:
        from chiasm.training.initial import start_from  # it reads bundles, which hold recipes

        schema.of_function(start_from, skip=4).check(options.start_options, "training.start_options")


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(raw: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    inner = raw
    for key in keys[:-1]:
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            raise RecipeError(f"setting {'.'.join(keys)}: {key} is not a section")
    inner[keys[-1]] = value


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, table by table."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _flat(raw: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """("training.lr", 1e-4), ... of nested tables."""
    for key, value in raw.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
