"""Parts of an extraction shared out: to processes of this machine, or to the actors of a Ray cluster."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from chiasm.data import records
from chiasm.data.example import DataError
from chiasm.data.extraction_part import Part, Work, extract_part, packed, read_part
from chiasm.data.worker import worker

WORKER = ("-m", "chiasm.data.extraction_worker")


def run_processes(parts: Sequence[Part], work: Work, count: int, lock: int) -> Iterator[int]:
    """The number of images in each batch as it is finished, by `count` processes that share this machine's cores.

    They hold the open file `lock` too, so that nobody else begins before the last of them has ended.
    Raises `DataError` with a worker's message.
    """
    waiting: queue.SimpleQueue[Part] = queue.SimpleQueue()
    for part in parts:
        waiting.put(part)
    said: queue.SimpleQueue[int | str | None] = queue.SimpleQueue()
    shared = replace(work, threads=max(1, (os.cpu_count() or 1) // count))
    given = (waiting, shared, said, lock)
    threads = [threading.Thread(target=_serve, args=given, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    ended, failures = 0, []
    while ended < count:
        news = said.get()
        if news is None:
            ended += 1
        elif isinstance(news, int):
            yield news
        else:
            failures.append(news)
            while not waiting.empty():  # nothing new is begun
                waiting.get()
    if failures:
        raise DataError(f"a worker process could not go on: {failures[0]}")


def _serve(waiting: queue.SimpleQueue[Part], work: Work, said: queue.SimpleQueue[int | str | None], lock: int) -> None:
    """Feeds one process with parts until none is left, and passes on what it says; None at the end."""
    try:
        with worker(WORKER, keep_open=(lock,)) as (tell, hear):
            tell.write(json.dumps(asdict(work)) + "\n")
            while not waiting.empty():
                tell.write(json.dumps(waiting.get(timeout=1).to_json()) + "\n")
                tell.flush()
                while (line := hear.readline().strip()) != "done":
                    if not line.isdigit():
                        said.put(line.removeprefix("failed ") or "it ended without a word")
                        return
                    said.put(int(line))
    except queue.Empty:  # another thread was faster
        pass
    except OSError as error:
        said.put(f"it ended: {error}")
    finally:
        said.put(None)


def run_ray(parts: Sequence[Part], work: Work, count: int) -> Iterator[int]:
    """The same by `count` actors of Ray Data. They send records back; the files are written here.

    Raises `DataError` when the extra `ray` is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise DataError("Ray is not installed: pip install 'chiasm[ray]'") from error
    jobs = []
    for part in parts:
        records.cut_off_rest(Path(part.file))
        done = [found.batch for found in read_part(Path(part.file))]
        jobs.append({"part": json.dumps(part.to_json()), "done": done})
    data = ray.data.from_items(jobs, override_num_blocks=len(jobs)).flat_map(
        _RayWorker, fn_constructor_args=(json.dumps(asdict(work)),), concurrency=count
    )
    for row in data.iter_rows():
        records.append(Path(row["file"]), row["record"])
        yield row["images"]


class _RayWorker:
    """An actor: it makes the extractor once, then extracts part after part."""

    def __init__(self, work: str) -> None:
        self.work = Work(**json.loads(work))
        self.extractor = self.work.make()

    def __call__(self, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
        part = Part(**json.loads(job["part"]))
        done = {int(batch) for batch in job["done"]}
        for found in extract_part(part, self.extractor, dtype=self.work.dtype, done=done):
            yield {"file": part.file, "record": packed(found), "images": len(found)}
