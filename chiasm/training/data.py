"""A recipe's data: read or generated, cleaned of bad rows when asked, encoded."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

import chiasm.synth
from chiasm.data.columns import EncodedDataset, Preprocessor
from chiasm.data.example import BadRows, DataError, Example, RowError
from chiasm.data.sources import source
from chiasm.synth.world import VERSION
from chiasm.tasks import BaseTask
from chiasm.tasks import task as task_file
from chiasm.training.errors import RecipeError
from chiasm.training.recipe import Recipe, modality

T = TypeVar("T")
OnError = Literal["stop", "skip"]
Splits = Mapping[str, Sequence[Example]]  # "train", "validation", "test"
_PLAIN = frozenset({str, int, float, bool, type(None)})  # their repr is the same everywhere
_LARGE = frozenset({"boxes", "objects", "graph"})  # roles that a fingerprint leaves out: they come with the image


@dataclass(frozen=True)
class Prepared:
    """Everything a run needs to know about its data."""

    preprocessors: Mapping[str, Preprocessor]
    task: BaseTask
    splits: Mapping[str, EncodedDataset]
    skipped: tuple[RowError, ...] = ()
    contents: str = ""  # `fingerprint` of the splits as they were given

    @property
    def facts(self) -> dict[str, Any]:
        """The sizes a model config takes from the data."""
        merged: dict[str, Any] = dict(self.task.facts())
        for preprocessor in self.preprocessors.values():
            merged.update(preprocessor.facts)
        return merged

    def order(self) -> str:
        """Changes when an example is added, removed or moved."""
        digest = hashlib.sha256()
        for name, dataset in self.splits.items():
            digest.update(f"\n{name}\n".encode())
            digest.update("\n".join(example.id for example in dataset.examples).encode())
        return digest.hexdigest()[:16]


@dataclass
class BadRowPolicy:
    """What to do with bad rows: "stop" at them, or "skip" them and keep them in `skipped`."""

    on_error: OnError = "stop"
    skipped: list[RowError] = field(default_factory=list)

    def read(self, action: Callable[[], list[Example]]) -> list[Example]:
        """What a source reads; with "skip" the usable rows of a source that names bad ones."""
        try:
            return action()
        except BadRows as error:
            if self.on_error == "stop" or error.usable is None:
                raise
            self.skipped += error.rows
            return list(error.usable)

    def attempt(
        self, examples: Sequence[Example], action: Callable[[Sequence[Example]], T]
    ) -> tuple[Sequence[Example], T]:
        """The rows that were used, and `action` of them; with "skip" again without those it calls bad."""
        while True:
            try:
                return examples, action(examples)
            except (RowError, BadRows) as error:
                bad = _bad_rows(error)
                names = {row.row_id for row in bad}
                kept = [example for example in examples if example.id not in names]
                if self.on_error == "stop" or len(kept) == len(examples):
                    raise
                if not kept:
                    raise DataError(f"no usable row is left: all {len(examples)} are bad, e.g. {bad[0]}") from error
                self.skipped += bad
                examples = kept


def read_splits(recipe: Recipe, data: Path | None, policy: BadRowPolicy, *, show: bool = True) -> Splits:
    """The recipe's splits from the folder `data`, or from its generated world. Raises `DataError`, `RecipeError`."""
    section = recipe.data
    folder = world_folder(recipe, show=show) if data is None else data
    wanted = {"train": section.train, "validation": section.validation, "test": section.test}
    read = {use: read_named(recipe, folder, names, policy) for use, names in wanted.items() if names}
    return _with_share_held_out(recipe, read)


def read_measured(
    recipe: Recipe, folder: Path, split: str | None, policy: BadRowPolicy, trained_on: str | None
) -> tuple[list[Example], str]:
    """The examples to measure a trained model on, and which they are, in words.

    They are those of `split`, else of the recipe's test splits, else of its validation splits. Where it has neither,
    the share that training held out, if the data are those it was `trained_on` (`fingerprint` of the splits); all
    rows of other data. Raises `DataError`, also when the model was trained on all of these rows.
    """
    section = recipe.data
    names = (split,) if split else section.test or section.validation
    if names:
        return read_named(recipe, folder, names, policy), f"split {', '.join(names)}"
    rows = read_named(recipe, folder, section.train, policy)
    everything = f"all {len(rows):,} rows of split {', '.join(section.train)}"
    if trained_on is None:
        return rows, f"{everything}; the bundle does not say whether it was trained on them"
    try:
        splits = _with_share_held_out(recipe, {"train": rows})
    except DataError:  # too few to hold a share of them out, so that no training was on them
        splits = {"train": rows}
    if fingerprint(splits) != trained_on:
        return rows, f"{everything}; they are not those of the training"
    if "validation" not in splits:
        raise DataError(f"{folder} holds the rows the model was trained on, and none was held out: give other rows")
    held = splits["validation"]
    return list(held), f"the {len(held):,} of {len(rows):,} rows that training held out"


def read_named(recipe: Recipe, folder: Path, names: Sequence[str], policy: BadRowPolicy) -> list[Example]:
    """The named splits of the recipe's source, one after the other. Raises `DataError` when there is no example."""
    if not names:
        raise DataError(f"recipe {recipe.name!r} has neither a test nor a validation split; name a split (--split)")
    if not folder.exists():
        raise DataError(f"the data folder {folder} does not exist")
    read = source(recipe.data.source).read
    parts = [policy.read(partial(read, folder, name, **recipe.data.options)) for name in names]
    examples = [example for part in parts for example in part]
    if not examples:
        raise DataError(f"{folder}: the split {', '.join(names)} of {recipe.data.source!r} holds no example")
    return examples


def world_folder(recipe: Recipe, *, show: bool = True) -> Path:
    """The recipe's generated world, made now unless it is in the cache. Raises `RecipeError` when it has none."""
    world = recipe.data.world
    if world is None:
        raise RecipeError(f"recipe {recipe.name!r} has no generated world; say where the data is (--data)")
    options = {key: value for key, value in world.items() if key not in ("kind", "seed")}
    if "kind" not in world:
        raise RecipeError("data.world: missing kind")
    kind, seed = str(world["kind"]), int(world.get("seed", 0))
    key = hashlib.sha256(repr((VERSION, kind, seed, sorted(options.items()))).encode()).hexdigest()[:12]
    folder = cache_folder() / "worlds" / f"{kind}-{key}"
    try:
        return chiasm.synth.generate(kind, folder, seed=seed, progress=show, **options)
    except chiasm.synth.WorldError as error:
        raise RecipeError(f"data.world: {error}") from error


def cache_folder() -> Path:
    """Where things that can be made again are kept: `CHIASM_CACHE`, else `chiasm` in the user's cache folder."""
    given = os.environ.get("CHIASM_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chiasm"


def held_out(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Training and validation examples, so that no cluster or image is in both: about `share` of them are held out."""
    if not 0 < share < 1:
        raise RecipeError(f"data.validation_share: must be between 0 and 1, got {share}")
    groups = sorted({_group(example) for example in examples})
    random.Random(seed).shuffle(groups)
    chosen = set(groups[: max(1, round(share * len(groups)))])
    train = [example for example in examples if _group(example) not in chosen]
    if not train:
        raise DataError(f"{len(groups)} distinct images or clusters are too few to hold out a share of {share}")
    return train, [example for example in examples if _group(example) in chosen]


def prepare(recipe: Recipe, splits: Splits, policy: BadRowPolicy) -> Prepared:
    """Fit preprocessors and task on the training examples, encode every split.

    Held-out examples that say no right answer are left out, and named in `skipped`; a split of which none does stays,
    to be answered only. Raises `RowError`, or `BadRows`, naming bad rows, unless the policy is to skip them;
    `DataError` when no validation example can be measured.
    """
    if not splits.get("train"):
        raise DataError("there are no training examples")
    preprocessors = {stream: modality(stream).Preprocess(**options) for stream, options in recipe.streams.items()}
    task: BaseTask = task_file(recipe.task).Task(**recipe.task_options)

    def fit(examples: Sequence[Example]) -> None:
        others = [example for use, given in splits.items() if use != "train" for example in given]
        for preprocessor in preprocessors.values():
            preprocessor.fit([*examples, *others] if preprocessor.fits_on_all else examples)
        task.fit(examples)

    def encode(examples: Sequence[Example]) -> EncodedDataset:
        streams = {stream: p.encode(examples) for stream, p in preprocessors.items()}
        return task.dataset(examples, streams)

    train, _ = policy.attempt(splits["train"], fit)
    chosen = {use: train if use == "train" else _labelled(task, use, given, policy) for use, given in splits.items()}
    encoded = {use: policy.attempt(examples, encode)[1] for use, examples in chosen.items()}
    return Prepared(preprocessors, task, encoded, tuple(policy.skipped), fingerprint(splits))


def fingerprint(splits: Splits) -> str:
    """Changes when an example is added, removed, moved, or says something else: its id, texts, answers, image names.

    It is the same in every process and wherever the data lie. Pixels, boxes and graphs, which are large, do not count.
    """
    digest = hashlib.sha256()
    for name, examples in splits.items():
        digest.update(f"\n{name}\n".encode())
        for example in examples:
            said = [f"{role}={_said(role, value)}" for role, value in example.values.items() if role not in _LARGE]
            digest.update(f"{example.id!r} {' '.join(said)}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()[:16]


def _with_share_held_out(recipe: Recipe, splits: Splits) -> Splits:
    """The splits, with the recipe's share of the training examples as "validation" where it names no such split."""
    section = recipe.data
    if section.validation or not section.validation_share:
        return splits
    train, validation = held_out(splits["train"], section.validation_share, recipe.training.seed)
    return {**splits, "train": train, "validation": validation}


def _labelled(task: BaseTask, use: str, examples: Sequence[Example], policy: BadRowPolicy) -> Sequence[Example]:
    """The examples of a held-out split that can be measured, the others told; all of them when none can."""
    examples, labels = policy.attempt(examples, lambda given: [task.labelled(example) for example in given])
    if not any(labels):
        if use == "validation":
            raise DataError(f"none of the {len(examples)} validation examples has an answer to be measured by")
        return examples
    reason = f"it has no answer, and is left out of the {use} examples"
    bare = [example for example, labelled in zip(examples, labels, strict=True) if not labelled]
    policy.skipped += [RowError(reason, origin=example.origin, row_id=example.id) for example in bare]
    return [example for example, labelled in zip(examples, labels, strict=True) if labelled]


def _said(role: str, value: Any) -> str:
    """A value as text that is the same in every process: no addresses, no folders, of pixels and arrays the size."""
    if role == "images" and isinstance(value, str | Path):
        return repr(str(value).replace("\\", "/").rpartition("/")[2])
    if type(value) in _PLAIN:
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{' '.join([_said(role, inner) for inner in value])}]"
    if isinstance(value, Mapping):
        return f"{{{' '.join([f'{key!r}:{_said(role, inner)}' for key, inner in value.items()])}}}"
    if isinstance(value, str | Path):
        return repr(str(value))
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    if isinstance(value, np.generic):
        return repr(value.item())
    size = getattr(value, "shape", None) or getattr(value, "size", "")  # of an array or a tensor; of a picture
    return f"{type(value).__name__} {tuple(size) if isinstance(size, tuple) else ''}"


def _group(example: Example) -> str:
    """What must not be divided between training and validation: the example's cluster (its dialogue, ...) where the
    source names one, else its images, else the row."""
    if "cluster" in example.info:
        return repr(example.info["cluster"])
    images = example.values.get("images")
    return repr(images) if images else example.id


def _bad_rows(error: RowError | BadRows) -> list[RowError]:
    if isinstance(error, RowError):
        return [error]
    return error.rows
