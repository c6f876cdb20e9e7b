"""Making worlds on disk: split into jobs, done by one or several processes, joined into the official files.

A job writes pictures in place and, for every annotation file, a part with its entries; the parts are then joined in
order. What a job makes depends on the seed and its range alone, so the number of processes changes nothing.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from chiasm.data.worker import worker
from chiasm.synth.options import WorldError, WorldOptions

JOB_SIZE = 100  # scenes or statements
PARTS = ".parts"
WORKER = ("-m", "chiasm.synth.worker")
_ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
WORTH_A_PROCESS = 1000  # with fewer items than this per process, starting one costs more than it saves


@dataclass(frozen=True)
class Job:
    """A range of one split of one world."""

    kind: str
    folder: str
    seed: int
    split: str
    start: int
    stop: int
    options: Mapping[str, Any]


@dataclass(frozen=True)
class AnnotationFile:
    """A JSON file that is joined from parts: its lists of entries, and what stands before, between and after them."""

    path: str
    lists: Mapping[str, str]  # name of a list -> what stands before its first entry
    closing: str
    separator: str = ",\n"


class Parts:
    """What one job writes: entries for the annotation files, and pictures."""

    def __init__(self, job: Job) -> None:
        self.job, self.folder = job, Path(job.folder)
        self._entries: dict[tuple[str, str], list[str]] = {}

    def picture(self, name: str, data: bytes) -> None:
        """A file in images/."""
        (self.folder / "images" / name).write_bytes(data)

    def add(self, path: str, entry: Any, *, into: str = "", key: str | None = None) -> None:
        """An entry of the list `into` of the file at `path`; with a key where the list is a JSON object."""
        text = _ENCODE(entry)
        self._entries.setdefault((path, into), []).append(text if key is None else f'"{key}":{text}')

    def write(self, files: Mapping[str, AnnotationFile]) -> None:
        """Writes the parts."""
        for (path, name), entries in self._entries.items():
            target = part_path(self.folder, path, name, self.job.start)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(files[path].separator.join(entries), encoding="utf-8")


def part_path(folder: Path, path: str, name: str, start: int) -> Path:
    """Where the part of a file's list that begins with item `start` lies."""
    return folder / PARTS / path / f"{name}{start:08d}"


def _maker(kind: str) -> ModuleType:
    """The module that says what a kind of world has: `files(split, options)` and `make(job, parts)`."""
    return importlib.import_module(f"chiasm.synth.{kind}")


def run_job(job: Job) -> None:
    """Makes one job's pictures and parts."""
    maker = _maker(job.kind)
    parts = Parts(job)
    maker.make(job, parts)
    parts.write(maker.files(job.split, job.options))


def join(folder: Path, files: Mapping[str, AnnotationFile], starts: range) -> None:
    """Joins the parts of each file, in order."""
    for file in files.values():
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w", encoding="utf-8") as out:
            for name, opening in file.lists.items():
                out.write(opening)
                separator = ""
                for start in starts:
                    part = part_path(folder, file.path, name, start)
                    if part.exists():  # a job may have no entry for a list
                        out.write(separator + part.read_text(encoding="utf-8"))
                        separator = file.separator
            out.write(file.closing)


def produce(
    kind: str, folder: Path, *, seed: int, options: WorldOptions, workers: int | None, tick: Callable[[int], None]
) -> None:
    """Makes the whole world in `folder`; `tick` is called with the number of items finished."""
    sizes = options.sizes()
    (folder / "images").mkdir(parents=True)
    jobs = [
        Job(kind, str(folder), seed, split, start, min(start + JOB_SIZE, size), options.to_json())
        for split, size in sizes.items()
        for start in range(0, size, JOB_SIZE)
    ]
    if workers is None:
        workers = min(os.cpu_count() or 1, 8, max(1, sum(sizes.values()) // WORTH_A_PROCESS))
    if workers == 1:
        for job in jobs:
            run_job(job)
            tick(job.stop - job.start)
    else:
        _run_parallel(jobs, workers, tick)
    maker = _maker(kind)
    for split, size in sizes.items():
        join(folder, maker.files(split, options.to_json()), range(0, size, JOB_SIZE))


def _run_parallel(jobs: list[Job], workers: int, tick: Callable[[int], None]) -> None:
    """The jobs done by processes of our own."""
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    failures: list[str] = []
    lock = threading.Lock()

    def work() -> None:
        with worker(WORKER) as (tell, hear):
            while not failures:
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                tell.write(json.dumps(asdict(job)) + "\n")
                tell.flush()
                if hear.readline().strip() != "done":
                    failures.append(f"{job.split} {job.start} to {job.stop}")
                    return
                with lock:
                    tick(job.stop - job.start)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, len(jobs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise WorldError(f"a worker process failed on {failures[0]}; its message stands above")
