"""Features of one's own images: a folder of pictures and an extractor -> a feature store.

    images -> list, sorted by id -> parts of 256 -> workers -> records of each part, aside -> the store, in order

An extraction may be killed at any moment and begun again: finished batches are kept. Neither the number of workers nor
interruptions change which images are computed together; the store is the same to the last byte where torch computes
with as many threads.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError
from chiasm.data.extraction_part import Part, Work, read_part, run_part
from chiasm.data.extraction_workers import run_processes, run_ray
from chiasm.data.extractors import Extraction, Extractor, make_extractor
from chiasm.data.features import DTYPES, FeatureStore
from chiasm.data.progress import track
from chiasm.data.store_writer import StoreWriter

PART_SIZE = 256  # images; what is held in memory when the store is put together
PLAN = "plan.json"


@dataclass(frozen=True)
class Extracted:
    """What an extraction did."""

    store: FeatureStore
    done: int  # images extracted now
    kept: int  # images that a former, interrupted extraction had finished
    bad: Mapping[str, str] = field(default_factory=dict)  # by image id: why it gave nothing


def extract(
    images: Mapping[str, Any],
    folder: Path | str,
    extractor: str,
    options: Mapping[str, Any] | None = None,
    *,
    dtype: str = "float16",
    workers: int = 1,
    ray: bool = False,
    part_size: int = PART_SIZE,
) -> Extracted:
    """A feature store at `folder` of the images, by id, each found by `extractor` with `options`.

    `workers` processes share the work; with `ray`, that many actors of a Ray cluster (extra `ray`; the images' paths
    must be readable from its machines). Images that cannot be read are left out and told. What an interrupted call
    with the same arguments finished is not done again.

    Raises `DataError`: no image, a store or another extraction at that place, another process at work on it.
    """
    target = Path(folder)
    if target.exists():
        raise DataError(f"{target} exists: delete it, or write the feature store elsewhere")
    if not images:
        raise DataError("there is no image to extract")
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r}: known are {', '.join(DTYPES)}")
    made = make_extractor(extractor, options)
    work = Work(extractor, made.options, made.identity.to_json(), dtype)
    aside = target.with_name(f".{target.name}.extracting")
    with _alone(aside) as lock:
        if target.exists():  # another process has finished it meanwhile
            raise DataError(f"{target} exists: it was extracted just now")
        parts = _parts(images, aside, part_size)
        _begin(aside, {"work": _comparable(work, made), "images": _hash(images), "part_size": part_size}, target)
        kept = sum(len(found) for part in parts for found in read_part(Path(part.file)))
        left = len(images) - kept
        ticks = _run(parts, work, made, workers, ray, lock) if left else iter(())
        done = sum(track(ticks, left, "extracting", by=int))
        ids = [list(images)[start : start + part_size] for start in range(0, len(images), part_size)]
        store, bad = _join(parts, ids, target, made, dtype)
        shutil.rmtree(aside)
    return Extracted(store, done, kept, bad)


def _parts(images: Mapping[str, Any], aside: Path, size: int) -> list[Part]:
    values = [str(value) for value in images.values()]
    starts = range(0, len(values), size)
    return [Part(n, values[start : start + size], str(aside / f"{n:06d}.part")) for n, start in enumerate(starts)]


def _run(parts: Sequence[Part], work: Work, made: Extractor, workers: int, ray: bool, lock: int) -> Iterator[int]:
    """The number of images in each batch, as it is finished."""
    if workers < 1:
        raise ValueError(f"workers is {workers}: at least 1 is needed")
    if ray:
        yield from run_ray(parts, work, workers)
    elif workers > 1:
        yield from run_processes(parts, work, min(workers, len(parts)), lock)
    else:
        for part in parts:
            yield from run_part(part, made, dtype=work.dtype)


def _join(
    parts: Sequence[Part], ids: Sequence[Sequence[str]], target: Path, made: Extractor, dtype: str
) -> tuple[FeatureStore, dict[str, str]]:
    """The store of all parts, in the order of the list, one part in memory at a time; and the images left out."""
    bad: dict[str, str] = {}
    for old in target.parent.glob(f".{target.name}.*.partial"):  # of a process that was killed while it was here
        shutil.rmtree(old)
    with StoreWriter(target, made.identity, dtype=dtype) as writer:
        for part, names in zip(parts, ids, strict=True):
            found: dict[int, Extraction] = {}
            for batch in read_part(Path(part.file)):
                found.update(batch.extractions)
                bad.update({names[place]: reason for place, reason in batch.bad.items()})
            for place in sorted(found):
                one = found[place]
                writer.append(names[place], one.features, one.boxes, labels=one.labels, confidences=one.confidences)
        writer.about.update(
            made_by={"extractor": made.name, "options": made.options},
            label_names=list(made.label_names),
            left_out=dict(sorted(bad.items())),
        )
        if len(bad) == sum(map(len, ids)):
            shutil.rmtree(Path(parts[0].file).parent)  # so that they are tried again when they were mended
            raise DataError(f"none of the {len(bad)} images can be used, e.g. {next(iter(bad.values()))}")
    return FeatureStore(target), bad


def _comparable(work: Work, made: Extractor) -> dict[str, Any]:
    """What must be equal for an extraction to be continued: where the weights lie and on what device is not."""
    return {"identity": dict(work.identity), "dtype": work.dtype, "batch_size": made.batch_size}


def _begin(aside: Path, plan: Mapping[str, Any], target: Path) -> None:
    """Write the plan, or compare it with that of the interrupted extraction there."""
    file = aside / PLAN
    if not file.exists():
        file.write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")
        return
    try:
        former = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        former = {}
    if former != json.loads(json.dumps(plan)):
        differing = [key for key, value in plan.items() if former.get(key) != value]
        raise DataError(
            f"{aside} holds an interrupted extraction for {target.name} that differs in {', '.join(differing)}: "
            "begin again with what it had, or delete that folder"
        )


def _hash(images: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name, value in images.items():
        digest.update(f"{name}\0{value}\0".encode())
    return digest.hexdigest()


@contextmanager
def _alone(aside: Path, *, patience: float = 10.0) -> Iterator[int]:
    """The folder aside, with nobody else at work in it; gives the open lock file.

    The system forgets the lock when the processes that hold it have ended. Those of a killed extraction end within a
    moment, so it is waited for, `patience` seconds at most.
    """
    aside.mkdir(parents=True, exist_ok=True)
    with (aside / "lock").open("w") as lock:
        if sys.platform != "win32":  # which has no such lock: there two extractions to one place are not told apart
            import fcntl

            until = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise DataError(f"another process is extracting to {aside}") from None
                    time.sleep(0.1)
        yield lock.fileno()
