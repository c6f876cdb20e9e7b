"""The generated world: pictures, scene graphs, questions, statements and captions in the official formats.

>>> from chiasm.synth import generate
>>> generate("scenes", "worlds/scenes", seed=0, scenes=10_000)

Two kinds of pictures: "scenes" (single pictures: GQA, VQA v2, COCO captions and instances) and "pairs" (statements
about two pictures: NLVR2). Further kinds are files of `synth/worlds`. A test bed, not a claim: a number on it never
stands beside a paper's number.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chiasm.synth.options import KINDS, PairsOptions, ScenesOptions, WorldError, WorldOptions

__all__ = ["KINDS", "PairsOptions", "ScenesOptions", "WorldError", "WorldOptions", "check", "generate", "world_info"]

INFO = "world.json"


def generate(
    kind: str, folder: str | Path, *, seed: int = 0, workers: int | None = None, progress: bool = True, **options: Any
) -> Path:
    """Makes a world of `kind` ("scenes", "pairs" or a file of `synth/worlds`) in `folder`, or finds it there already
    made; returns the folder.

    `options` are the fields of `ScenesOptions`, `PairsOptions` or the file's `Options`. `workers` is the number of
    processes (None: as many as are worth while); it does not change the result. The folder appears whole or not at
    all. Raises `WorldError` for unknown or impossible options, and for a folder that holds something else.
    """
    from chiasm.synth import options as checking
    from chiasm.synth import worlds

    if kind in worlds.world_names():
        return _further(kind, Path(folder), seed, options)
    chosen = checking.options(kind, options)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise WorldError(f"seed is {seed!r}; it must be a whole number")
    if workers is not None and workers < 1:
        raise WorldError(f"workers is {workers}; it must be at least 1")
    folder = Path(folder)
    info = _info(kind, seed, chosen)
    if _is_made(folder, info):
        return folder
    from chiasm.synth.production import PARTS, produce

    with _aside(folder) as aside, _progress(f"generating {folder.name}", chosen, progress) as tick:
        produce(kind, aside, seed=seed, options=chosen, workers=workers, tick=tick)
        shutil.rmtree(aside / PARTS)
        (aside / INFO).write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
        _move(aside, folder, info)
    return folder


def check(kind: str, options: dict[str, Any]) -> None:
    """Raises `WorldError` for an unknown kind, and for unknown or impossible options, as `generate` does."""
    from chiasm.synth import options as checking
    from chiasm.synth import worlds

    if kind in worlds.world_names():
        worlds.options(kind, options)
    else:
        checking.options(kind, options)


def _further(kind: str, folder: Path, seed: int, given: dict[str, Any]) -> Path:
    """A world of `synth/worlds`, made in `folder` or found there."""
    from chiasm.synth import worlds

    module, chosen = worlds.world(kind), worlds.options(kind, given)
    plain = json.loads(json.dumps(asdict(chosen)))  # tuples become lists, as they are read back
    info = {"kind": kind, "version": module.VERSION, "seed": seed, "options": plain, "complete": True}
    if not _is_made(folder, info):
        with _aside(folder) as aside:
            module.write(aside, chosen, seed=seed)
            (aside / INFO).write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
            _move(aside, folder, info)
    return folder


def world_info(folder: str | Path) -> dict[str, Any]:
    """What the world in `folder` says of itself: kind, seed, options, vocabulary, held-out combinations."""
    path = Path(folder) / INFO
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise WorldError(f"{folder} holds no generated world: {error}") from error
    if not isinstance(found, dict):
        raise WorldError(f"{path} is no description of a generated world")
    return found


def _info(kind: str, seed: int, options: WorldOptions) -> dict[str, Any]:
    from chiasm.synth import world

    made = {
        "kind": kind,
        "version": world.VERSION,
        "seed": seed,
        "options": options.to_json(),
        "splits": options.sizes(),
        "held_out": world.held_out(seed),
        "margin": world.MARGIN * options.image_size / world.REFERENCE_SIZE,
        "vocabulary": dict(world.VOCABULARY),
        "categories": dict(world.CATEGORIES),
        "complete": True,
    }
    plain: dict[str, Any] = json.loads(json.dumps(made))  # tuples become lists, as they are read back
    return plain


def _is_made(folder: Path, info: dict[str, Any]) -> bool:
    """Whether the folder holds exactly this world. Raises `WorldError` when it holds something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if not (folder / INFO).is_file():
        raise WorldError(f"{folder} is not empty and holds no generated world; choose another folder")
    found = world_info(folder)
    if found == info:
        return True
    keys = ("kind", "version", "seed", "options")
    differing = [
        f"{key}: {found.get(key)!r} there, {info[key]!r} asked for" for key in keys if found.get(key) != info[key]
    ]
    raise WorldError(
        f"{folder} holds another world ({'; '.join(differing) or 'its description was altered'}); "
        "choose another folder or delete this one"
    )


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to work in, removed at the end; left-overs of ended processes are removed first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    mine = f".{folder.name}.{socket.gethostname()}."
    for old in folder.parent.glob(f"{mine}*.partial"):
        number = old.name[len(mine) :].removesuffix(".partial")
        if number.isdigit() and not _runs(int(number)):
            shutil.rmtree(old)
    aside = folder.parent / f"{mine}{os.getpid()}.partial"
    if aside.exists():
        shutil.rmtree(aside)
    aside.mkdir()
    try:
        yield aside
    finally:
        if aside.exists():
            shutil.rmtree(aside)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _move(aside: Path, folder: Path, info: dict[str, Any]) -> None:
    """Puts the finished world in place; another process may have made the same one meanwhile."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if not _is_made(folder, info):
        aside.rename(folder)


@contextmanager
def _progress(title: str, options: WorldOptions, wanted: bool) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal, or nothing when there is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not wanted or not console.is_terminal:
        yield lambda count: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=sum(options.sizes().values()))
        yield lambda count: bar.advance(task, count)
