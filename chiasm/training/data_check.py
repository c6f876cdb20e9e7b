"""What a folder of data is: which data sets it holds, which of their splits, what is missing, and for which recipes.

Every source is asked to read the folder, so that what is said to be there can really be read, and a new source is known
here without another line.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from chiasm.data.distinct import MEMBER
from chiasm.data.example import DataError, Example
from chiasm.data.progress import track
from chiasm.data.sources import source, source_names
from chiasm.data.sources._files import IMAGE_ENDINGS
from chiasm.recipes import recipe_names
from chiasm.training.recipe import Recipe, load_recipe

GENERAL = ("rows", "several")  # sources that read what other sources read
# What a reader raises on files that are not what it takes them for.
WRONG = (DataError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError)
OTHER = {
    "store.json": "a feature store: give it as --set regions.store=FOLDER, or --store",
    "manifest.json": "a trained model's bundle: chiasm predict, evaluate or explain",
    "metrics.json": "a run's folder: chiasm report",
}


@dataclass(frozen=True)
class Split:
    """One split that can be read."""

    name: str
    examples: int
    answered: int  # examples whose answer is known
    images: int  # distinct images that the examples name
    images_missing: int
    shown: tuple[Example, ...]  # up to three: the first, the middle, the last


@dataclass(frozen=True)
class Found:
    """One data set in the folder."""

    source: str
    splits: tuple[Split, ...]
    absent: Mapping[str, str]  # splits that cannot be read, and why
    options: Mapping[str, str]  # options of the source that need more files -> "" or what is missing
    recipes: Mapping[str, str]  # recipes of this source -> "" or why they cannot be trained


@dataclass(frozen=True)
class Checked:
    """What a folder is."""

    folder: Path
    found: tuple[Found, ...]  # the data set with most examples first
    hints: tuple[str, ...]  # what else it may be, when nothing can be read


def check(folder: Path) -> Checked:
    """Look at a folder of data. Raises `DataError` when it is not there."""
    if not folder.exists():
        raise DataError(f"{folder} does not exist")
    names = [name for name in source_names() if name not in GENERAL]
    found = [one for name in track(names, len(names), "looking") if (one := _found(name, folder)) is not None]
    if not found and (rows := _found("rows", folder)) is not None:
        found = [rows]
    found.sort(key=lambda one: -sum(split.examples for split in one.splits))
    return Checked(folder, tuple(found), () if found else tuple(_hints(folder)))


def _found(name: str, folder: Path) -> Found | None:
    """What a source can read of the folder; None when it is nothing."""
    module = source(name)
    splits, absent, first = [], {}, None
    for split in module.SPLITS:
        try:
            examples = module.read(folder, split)
        except WRONG as error:
            absent[split] = _line(error, folder)
            continue
        if examples:
            first = first or split
            splits.append(_split(split, examples))
    if first is None:
        return None
    options = _options(module, folder, first)
    return Found(name, tuple(splits), absent, options, _recipes(name, splits, options))


def _split(name: str, examples: Sequence[Example]) -> Split:
    images = {str(image) for example in examples for image in example.values.get("images") or ()}
    missing = sum(not _is_there(image) for image in images)
    with_pictures = [e for e in examples if all(_is_there(str(i)) for i in e.values.get("images") or ())] or examples
    places = sorted({0, len(with_pictures) // 2, len(with_pictures) - 1})
    answered = sum(example.values.get("answer") is not None for example in examples)
    return Split(name, len(examples), answered, len(images), missing, tuple(with_pictures[i] for i in places))


def _is_there(image: str) -> bool:
    archive, member, _ = image.partition(MEMBER)
    return bool(member) or Path(archive).is_file()  # what is named inside an archive was found in its directory


def _options(module: ModuleType, folder: Path, split: str) -> dict[str, str]:
    """Options that are off unless asked for: whether their files are there."""
    known = inspect.signature(module.read).parameters
    few = {"limit": 1} if "limit" in known else {}
    found = {}
    for name in (name for name, parameter in known.items() if parameter.default is False):
        try:
            module.read(folder, split, **{name: True}, **few)
            found[name] = ""
        except WRONG as error:
            found[name] = _line(error, folder)
    return found


def _recipes(name: str, splits: Sequence[Split], options: Mapping[str, str]) -> dict[str, str]:
    """The recipes of a source, and what each lacks."""
    there = {split.name: split for split in splits}
    loaded = [load_recipe(recipe) for recipe in recipe_names()]
    return {recipe.name: _lacking(recipe, there, options) for recipe in loaded if recipe.data.source == name}


def _lacking(recipe: Recipe, there: Mapping[str, Split], options: Mapping[str, str]) -> str:
    data = recipe.data
    wanted = list(dict.fromkeys([*data.train, *data.validation, *data.test]))
    reasons = [f"no split {split}" for split in wanted if split not in there]
    reasons += [f"{key}: {options[key]}" for key, value in data.options.items() if value is True and options.get(key)]
    missing = sum(there[split].images_missing for split in wanted if split in there)
    if missing and {"regions", "images"} & set(recipe.streams):
        or_store = " (or give a feature store)" if "regions" in recipe.streams else ""
        reasons.append(f"{missing} images are not there{or_store}")
    return "; ".join(reasons)


def _hints(folder: Path) -> list[str]:
    """What a folder may be that no source reads."""
    hints = [what for name, what in OTHER.items() if (folder / name).is_file()]
    for name in source_names():
        patterns = _patterns(source(name).FILES)
        there = [pattern for pattern in patterns if any(folder.glob(pattern))]
        if there and name not in GENERAL:
            lacking = [pattern for pattern in patterns if pattern not in there]
            hints.append(f"a part of {name!r}: it has {', '.join(there)}, and lacks {', '.join(lacking) or 'nothing'}")
    if not hints and folder.is_dir():
        count = sum(path.suffix.lower() in IMAGE_ENDINGS for path in folder.rglob("*"))
        if count:
            hints.append(f"{count} pictures without questions: chiasm features extract makes features of them")
    return hints


def _patterns(files: str) -> list[str]:
    """What a source's description of its files names, as patterns; pictures, which any folder may hold, left out."""
    words = [word.strip(",()") for line in files.splitlines() for word in line.split()[:1]]
    patterns = [re.sub(r"<[^>]*>", "*", re.sub(r"<([^>]*)$", "*", word)) for word in words]
    endings = (".json", ".jsonl", ".csv", ".pkl", ".npz", ".txt")
    return [pattern for pattern in patterns if pattern.endswith(endings)]


def _line(error: BaseException, folder: Path) -> str:
    """One line without the folder's own name in it."""
    text = " ".join(str(error).split()).replace(f"{folder}/", "").replace(f"{folder}: ", "")
    return text[:160] + (" ..." if len(text) > 160 else "")


def plain(checked: Checked) -> dict[str, Any]:
    """For a JSON file: everything but the examples' pictures."""
    return {
        "folder": checked.folder.name,
        "found": [
            {
                "source": found.source,
                "splits": [
                    {
                        "name": split.name,
                        "examples": split.examples,
                        "answered": split.answered,
                        "images": split.images,
                        "images_missing": split.images_missing,
                    }
                    for split in found.splits
                ],
                "absent": dict(found.absent),
                "options": dict(found.options),
                "recipes": dict(found.recipes),
            }
            for found in checked.found
        ],
        "hints": list(checked.hints),
    }
