"""What a run leaves: one folder from which raw inputs are answered on another machine.

    model.safetensors  config.json  recipe.toml  preprocessing/<stream>/  task/
    metrics.json  environment.json  manifest.json (the checksum of every other file)

Nothing is pickled. Loading is strict: a file that is missing, altered or not in the manifest is refused by its name,
and no path that a bundle's file mentions is followed out of the folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from chiasm.data import regions
from chiasm.data.columns import EncodedDataset, Preprocessor
from chiasm.data.example import DataError, Example
from chiasm.models import CrossModalModel
from chiasm.models import model as model_file
from chiasm.registry import UnknownName
from chiasm.tasks import BaseTask
from chiasm.tasks import task as task_file
from chiasm.training import schema
from chiasm.training.checkpoint import load_module, module_tensors
from chiasm.training.errors import CheckpointError, RecipeError, TrainingError
from chiasm.training.files import complete, sha256, write_json, written_aside
from chiasm.training.recipe import Recipe, modality

FORMAT = 1
MANIFEST = "manifest.json"


class BundleError(TrainingError):
    """A folder that is no bundle, or one with a missing, altered or foreign file; the message names it."""


@dataclass(frozen=True)
class Bundle:
    """A trained model with everything it needs to answer raw inputs."""

    model: CrossModalModel
    task: BaseTask
    preprocessors: Mapping[str, Preprocessor]  # by stream
    recipe: Recipe
    metrics: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None  # where it was saved to or loaded from

    def dataset(self, examples: Sequence[Example], *, with_targets: bool = False) -> EncodedDataset:
        """Raw examples, encoded as the training examples were. Raises `RowError` naming bad rows."""
        streams = {name: p.encode(examples) for name, p in self.preprocessors.items()}
        return self.task.dataset(examples, streams) if with_targets else EncodedDataset(examples, streams, {})

    def use_store(self, folder: Path | str) -> None:
        """Look regions up in a feature store from now on, instead of finding them in the images.

        Raises `DataError` when another extractor made it, or when the model reads no regions.
        """
        readers = [p for p in self.preprocessors.values() if isinstance(p, regions.Preprocess)]
        if not readers:
            raise DataError(f"this model reads {', '.join(self.preprocessors)}: it has no use for a feature store")
        for reader in readers:
            reader.use_store(folder)

    def save(self, folder: Path | str, *, extra: Mapping[str, str] | None = None) -> Path:
        """Write the bundle; a former one there is replaced only when the new one is complete on the disk.

        `extra` are further texts to keep in it, by file name.
        """
        target = Path(folder)
        with written_aside(target) as aside:
            weights = {name: t.cpu().contiguous() for name, t in module_tensors(self.model).items()}
            save_file(weights, aside / "model.safetensors")
            write_json(aside / "config.json", self._config())
            (aside / "recipe.toml").write_text(self.recipe.to_toml(), encoding="utf-8")
            for stream, preprocessor in self.preprocessors.items():
                preprocessor.save(_made(aside / "preprocessing" / stream))
            self.task.save(_made(aside / "task"))
            write_json(aside / "metrics.json", self.metrics)
            write_json(aside / "environment.json", self.environment)
            for name, text in (extra or {}).items():
                (aside / name).write_text(text, encoding="utf-8")
            write_json(aside / MANIFEST, {"format": FORMAT, "files": _checksums(aside)})
        object.__setattr__(self, "folder", target)
        return target

    @classmethod
    def load(cls, folder: Path | str, *, device: torch.device | str = "cpu") -> Self:
        """The bundle in `folder`, its model in evaluation mode on `device`. Raises `BundleError`."""
        path = complete(Path(folder))
        verify(path)
        config = _json(path / "config.json")
        with _as_bundle_error(path):
            recipe = Recipe.from_toml((path / "recipe.toml").read_text(encoding="utf-8"))
            task = task_file(str(config["task"])).Task.load(path / "task")
            preprocessors = {s: _preprocessor(s).load(path / "preprocessing" / s) for s in config["streams"]}
            model = _model(str(config["model"]), config["config"], task)
            load_module(model, load_file(path / "model.safetensors"), str(path / "model.safetensors"))
        metrics, environment = _json(path / "metrics.json"), _json(path / "environment.json")
        return cls(model.to(device).eval(), task, preprocessors, recipe, metrics, environment, path)

    def _config(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "model": self.recipe.model,
            "task": self.recipe.task,
            "streams": list(self.preprocessors),
            "config": asdict(self.model.config),
        }


def verify(folder: Path) -> None:
    """Every file of a bundle against its manifest. Raises `BundleError` naming the first wrong file."""
    listed = listed_files(folder)
    for name, checksum in listed.items():
        _verify_file(folder, name, checksum)
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name not in listed and name != MANIFEST:
            raise BundleError(f"{folder}: the file {name} is not in the manifest; remove it, or make the bundle anew")


def listed_files(folder: Path) -> Mapping[str, str]:
    """file -> checksum, as the manifest says. Raises `BundleError` when it names a place outside the bundle."""
    if not (folder / MANIFEST).is_file():
        raise BundleError(f"{folder} is not a bundle: it has no {MANIFEST}")
    manifest = _json(folder / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise BundleError(f"{folder} has bundle format {manifest.get('format')!r}; this version reads {FORMAT}")
    listed = manifest.get("files")
    if not isinstance(listed, dict):
        raise BundleError(f"{folder / MANIFEST} lists no files")
    for name in listed:
        parts = PurePosixPath(name).parts
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name or ":" in name:
            raise BundleError(f"{folder}: the manifest names {name!r}, which is not inside the bundle")
    return listed


def _verify_file(folder: Path, name: str, checksum: str) -> None:
    path = folder.joinpath(*PurePosixPath(name).parts)
    if not path.is_file():
        raise BundleError(f"{folder}: the file {name} is missing")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BundleError(f"{folder}: the file {name} is a link out of the bundle")
    if sha256(path) != checksum:
        raise BundleError(f"{folder}: the file {name} was altered (its checksum differs from the manifest)")


def build_model(recipe: Recipe, facts: Mapping[str, Any], task: BaseTask) -> CrossModalModel:
    """The recipe's model, with the sizes the data says. Raises `RecipeError` when an option contradicts a fact."""
    config = model_config(recipe, facts)
    model: CrossModalModel = model_file(recipe.model).Model(config, task.objectives())
    return model


def model_config(recipe: Recipe, facts: Mapping[str, Any]) -> Any:
    """The model's `Config`: the recipe's options, and each field that is named in the facts."""
    config = model_file(recipe.model).Config
    options, known = recipe.options, schema.of_dataclass(config).types
    for name, fact in facts.items():
        if name in options and options[name] != fact:
            raise RecipeError(f"options.{name} is {options[name]}, but the data says {fact}; leave it out")
    filled = {**options, **{name: fact for name, fact in facts.items() if name in known}}
    try:
        return config(**filled)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"options: {error}") from error


def _model(name: str, values: Mapping[str, Any], task: BaseTask) -> CrossModalModel:
    """The model in a bundle; its random initial weights, soon overwritten, do not touch the generators."""
    file = model_file(name)
    config = file.Config(**schema.of_dataclass(file.Config).check(values, "config.json: config"))
    with torch.random.fork_rng(devices=[]):
        model: CrossModalModel = file.Model(config, task.objectives())
    return model


def _preprocessor(stream: str) -> type[Preprocessor]:
    preprocess: type[Preprocessor] = modality(stream).Preprocess
    return preprocess


@contextmanager
def _as_bundle_error(folder: Path) -> Any:
    """What goes wrong inside is the bundle's fault."""
    try:
        yield
    except (CheckpointError, RecipeError, UnknownName, SafetensorError, OSError, KeyError, ValueError) as error:
        raise BundleError(f"{folder} cannot be loaded: {error}") from error


def _checksums(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise BundleError(f"{path} should hold a JSON object")
    return value


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
