"""Folders that are there complete or not at all, and checksums."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ASIDE, _OLD = ".partial", ".old"


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `target` when the block ends without an error.

    Everything is forced to the disk (fsync) before the renaming, so that neither a killed process nor a power cut
    leaves a half-written `target`. When writing fails, a former `target` stays as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + _ASIDE)
    old = target.with_name(target.name + _OLD)
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
        raise
    shutil.rmtree(old, ignore_errors=True)


def force_to_disk(path: Path) -> None:
    """fsync of a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Readable JSON, in one piece: written aside, then renamed."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n"
    aside = path.with_name(path.name + _ASIDE)
    aside.write_text(text, encoding="utf-8")
    force_to_disk(aside)
    aside.replace(path)


def _plain(value: Any) -> Any:
    """What JSON has no word for: estimates and numpy numbers say it themselves, paths are text."""
    if hasattr(value, "to_json"):
        return value.to_json()
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def sha256(path: Path) -> str:
    """The checksum of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
