"""Folders and files that are there complete or not at all, JSON that any program reads, and checksums."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ASIDE, OLD = ".partial", ".old"  # what the name of a folder being written, and of a former one, has more


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `target` when the block ends without an error.

    Everything is forced to the disk (fsync) before the renaming, so that neither a killed process nor a power cut
    leaves a half-written `target`. When writing fails, a former `target` stays as it was; after a kill between the
    two renamings `complete` finds it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + _ASIDE)
    old = target.with_name(target.name + OLD)
    if old.exists() and not target.exists():  # killed between the two renamings below
        old.rename(target)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        for path in sorted(aside.rglob("*")):
            force_to_disk(path)
        force_to_disk(aside)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
            target.rename(old)
        aside.rename(target)
        force_to_disk(target.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        if old.exists() and not target.exists():  # the second renaming failed
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def complete(target: Path) -> Path:
    """Where the folder that `written_aside` keeps as `target` is: there, or, after a kill between its two renamings,
    still beside it under the name of a former one.

    Reading moves nothing, so that a reader cannot come between a writer's renamings.
    """
    old = target.with_name(target.name + OLD)
    return old if old.is_dir() and not target.exists() else target


def remove(target: Path) -> None:
    """Delete a folder, and first what may be left of a former one, which would otherwise stand for it."""
    shutil.rmtree(target.with_name(target.name + OLD), ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)


@contextmanager
def file_aside(target: Path) -> Iterator[Path]:
    """A file to write, which takes the place of `target` when the block ends without an error; its folder is made.

    It ends as `target` does, for writers that look at the ending. What is no plain file (a pipe, /dev/stdout) is
    written itself: it holds nothing that could be lost.
    """
    if target.exists() and not target.is_file():
        yield target
        return
    place = target.resolve()  # a link stays one
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f"{_ASIDE}-{place.name}")
    try:
        yield aside
        force_to_disk(aside)
        aside.replace(place)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def force_to_disk(path: Path) -> None:
    """fsync of a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Readable JSON of `to_plain(value)`, in one piece: written aside, then renamed; its folder is made."""
    text = json.dumps(to_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with file_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def to_plain(value: Any) -> Any:
    """A value in JSON's words: estimates and numpy numbers say it themselves, paths are text, an undefined number
    (NaN, infinite) is null, for which JSON has no other word. Raises TypeError for what has no word in it."""
    if hasattr(value, "to_json"):
        return to_plain(value.to_json())
    if isinstance(value, Mapping):
        return {str(key): to_plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [to_plain(inner) for inner in value]
    if hasattr(value, "item"):
        return to_plain(value.item())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def sha256(path: Path) -> str:
    """The checksum of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
