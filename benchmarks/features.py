"""How fast region features are read, beside LXMERT's loader of base64 in TSV, which reads everything first.

    python benchmarks/features.py [--images 2000] [--batches 300] [--threads 1] [--folder DIR]

36 regions of 2048 numbers an image, made up, the same in every file. Each reader runs in a process of its own:
open (until the first image can be asked for), images a second in random batches of 32 as a model takes them (float32
features and boxes; by the clock: median and best batch; and per second of CPU time, which other work on the machine
disturbs less), and how much resident memory reading added, the shared pages of mapped files included. "own" is what
of it belongs to the process alone. The readers give the same numbers (checked).
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chiasm.data.extractors import ExtractorIdentity
from chiasm.data.features import FeatureStore
from chiasm.data.store_writer import StoreWriter

REGIONS, SIZE, BATCH = 36, 2048, 32
IDENTITY = ExtractorIdentity("made up", "1", "-", feature_size=SIZE)
HEAD = ["img_id", "img_h", "img_w", "objects_id", "objects_conf", "attrs_id", "attrs_conf", "num_boxes"]
FIELDS = [*HEAD, "boxes", "features"]
Gather = Callable[[Tensor], tuple[Tensor, Tensor]]


def write_all(folder: Path, images: int) -> None:
    """The same features as TSV, as a float32 store and as a float16 store."""
    random = np.random.default_rng(0)
    block = random.random((64, REGIONS, SIZE), dtype=np.float32)
    boxes = np.sort(random.random((REGIONS, 4), dtype=np.float32), axis=1)

    def encode(array: NDArray[Any]) -> str:
        return base64.b64encode(array.tobytes()).decode()

    numbers, shares = encode(np.zeros(REGIONS, np.int64)), encode(np.zeros(REGIONS, np.float32))
    with (
        (folder / "all.tsv").open("w") as tsv,
        StoreWriter(folder / "float32", IDENTITY) as full,
        StoreWriter(folder / "float16", IDENTITY, dtype="float16") as half,
    ):
        for i in range(images):
            features = block[i % 64]
            row = [i, 1, 1, numbers, shares, numbers, shares, REGIONS, encode(boxes), encode(features)]
            tsv.write("\t".join(map(str, row)) + "\n")
            full.append(str(i), features, boxes)
            half.append(str(i), features, boxes)


def open_tsv(folder: Path) -> Gather:
    """What LXMERT does: decode every line into a dictionary, then stack the images of a batch."""
    csv.field_size_limit(sys.maxsize)
    data: dict[str, dict[str, Any]] = {}
    with (folder / "all.tsv").open() as lines:
        for item in csv.DictReader(lines, FIELDS, delimiter="\t"):
            row: dict[str, Any] = dict(item)
            for key in ("img_h", "img_w", "num_boxes"):
                row[key] = int(row[key])
            shapes: list[tuple[str, tuple[int, ...], Any]] = [
                ("objects_id", (REGIONS,), np.int64),
                ("objects_conf", (REGIONS,), np.float32),
                ("attrs_id", (REGIONS,), np.int64),
                ("attrs_conf", (REGIONS,), np.float32),
                ("boxes", (REGIONS, 4), np.float32),
                ("features", (REGIONS, SIZE), np.float32),
            ]
            for key, shape, dtype in shapes:
                row[key] = np.frombuffer(base64.b64decode(row[key]), dtype=dtype).reshape(shape)
                row[key].setflags(write=False)
            data[row["img_id"]] = row

    def gather(rows: Tensor) -> tuple[Tensor, Tensor]:
        chosen = [data[str(i)] for i in rows.tolist()]
        features = [torch.as_tensor(item["features"].copy()) for item in chosen]  # copied, then collated
        boxes = [torch.as_tensor(item["boxes"].copy()) for item in chosen]
        return torch.stack(features), torch.stack(boxes)

    return gather


def open_store(folder: Path) -> Gather:
    """The feature store."""
    store = FeatureStore(folder)

    def gather(rows: Tensor) -> tuple[Tensor, Tensor]:
        regions = store.gather(rows)
        return regions.features, regions.boxes

    store.rows(["0"])
    return gather


def resident() -> tuple[float, float]:
    """(all, this process's own) resident memory in MB; zeros where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0, 0.0
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return tuple(int(fields[key].split()[0]) / 1024 for key in ("VmRSS", "RssAnon"))  # type: ignore[return-value]


def measure(name: str, folder: Path, images: int, batches: int, threads: int, answers: Any) -> None:
    """Runs in a process of its own; puts a dictionary of numbers into the queue."""
    torch.set_num_threads(threads)
    before = resident()
    started = time.perf_counter()
    gather = open_tsv(folder) if name == "TSV" else open_store(folder / name)
    opened = time.perf_counter() - started
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(0, images, (BATCH,), generator=generator) for _ in range(batches)]
    checksum = 0.0
    for chosen in rows:  # once to warm up: the files come into the page cache
        checksum += float(gather(chosen)[0][:, ::7, ::97].sum())
    times = []
    used = time.process_time()
    for chosen in rows:
        started = time.perf_counter()
        gather(chosen)
        times.append(time.perf_counter() - started)
    used = time.process_time() - used
    after = resident()
    answers.put(
        {
            "reader": name,
            "open_ms": 1000 * opened,
            "images_per_second": BATCH / float(np.median(times)),
            "best_images_per_second": BATCH / min(times),
            "images_per_cpu_second": BATCH * batches / used,
            "resident_mb": after[0] - before[0],
            "own_mb": after[1] - before[1],
            "checksum": checksum,
        }
    )


def in_a_process(*arguments: Any) -> dict[str, Any]:
    """`measure` in a fresh process, so that memory is its own."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=measure, args=(*arguments, answers))
    process.start()
    found: dict[str, Any] = answers.get(timeout=3600)
    process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--batches", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1, help="of torch; TSV's reader is Python and uses one")
    parser.add_argument("--folder", type=Path, help="where to write (about 1 MB an image); default: a temporary folder")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_all(folder, options.images)
        table = [
            in_a_process(reader, folder, options.images, options.batches, options.threads)
            for reader in ("TSV", "float32", "float16")
        ]
    tsv = table[0]
    print(f"{options.images} images, {REGIONS} x {SIZE}, random batches of {BATCH}, {options.threads} threads")
    head = f"{'reader':<9}{'open ms':>10}{'x TSV':>9}{'images/s':>11}{'best':>9}{'per CPU s':>11}{'x TSV':>7}"
    print(f"{head}{'MB':>8}{'own':>8}")
    for line in table:
        error = abs(line["checksum"] - tsv["checksum"]) / abs(tsv["checksum"])
        if error > 1e-3:
            raise SystemExit(f"{line['reader']} reads other numbers than TSV (difference {error:.1e})")
        print(
            f"{line['reader']:<9}{line['open_ms']:>10.1f}{line['open_ms'] / tsv['open_ms']:>9.5f}"
            f"{line['images_per_second']:>11,.0f}{line['best_images_per_second']:>9,.0f}"
            f"{line['images_per_cpu_second']:>11,.0f}"
            f"{line['images_per_cpu_second'] / tsv['images_per_cpu_second']:>7.2f}"
            f"{line['resident_mb']:>8.0f}{line['own_mb']:>8.0f}"
        )
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
