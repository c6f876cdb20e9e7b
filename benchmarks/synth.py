"""How fast worlds are generated: pictures, questions and all annotation files, on one core.

    python benchmarks/synth.py [--scenes 1000] [--statements 200] [--workers 1]

"CPU" is the processor time of this process, which does not depend on what else the machine does; with several workers
only the wall clock counts. The stages are timed again in memory, without files.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from chiasm.synth import formats, generate
from chiasm.synth.questions import ask
from chiasm.synth.render import png, render
from chiasm.synth.sampling import SceneSampler


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(wall clock, processor time) in seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def whole_worlds(scenes: int, statements: int, workers: int) -> None:
    """Generates both kinds into a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"scenes": scenes, "val_scenes": 1, "test_scenes": 1}
        wall, processor = timed(
            lambda: generate("scenes", Path(folder) / "s", workers=workers, progress=False, **sizes)
        )
        report("scenes", scenes, wall, processor, workers, "scenes, 8 questions each, all formats")
        sizes = {"statements": statements, "val_statements": 1, "test_statements": 1}
        wall, processor = timed(lambda: generate("pairs", Path(folder) / "p", workers=workers, progress=False, **sizes))
        report("pairs", 8 * statements, wall, processor, workers, "pictures, two for each statement and pair")


def report(name: str, count: int, wall: float, processor: float, workers: int, what: str) -> None:
    """One line of figures."""
    per_processor = f"{count / processor:8.0f} / CPU s" if workers == 1 else ""
    print(f"{name:10s} {count / wall:8.0f} / s {per_processor}   {what}")


def stages(count: int) -> None:
    """The parts of the work on single scenes, in memory."""
    sampler = SceneSampler(seed=0)
    scenes = [sampler.scene("train", index) for index in range(count)]
    pictures = [render(scene) for scene in scenes]
    asked = [ask(scene, seed=0, count=8, held_out=sampler.held_out) for scene in scenes]
    parts: dict[str, Callable[[], object]] = {
        "scene": lambda: [sampler.scene("train", index) for index in range(count)],
        "picture": lambda: [render(scene) for scene in scenes],
        "PNG": lambda: [png(picture) for picture in pictures],
        "questions": lambda: [ask(scene, seed=0, count=8, held_out=sampler.held_out) for scene in scenes],
        "GQA entries": lambda: [formats.gqa_questions(*both) for both in zip(scenes, asked, strict=True)],
        "masks": lambda: [formats.coco_instances(scene) for scene in scenes],
    }
    for name, work in parts.items():
        print(f"  {name:12s} {1000 * timed(work)[1] / count:6.2f} ms of CPU per scene")


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--statements", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.workers} worker(s)")
    whole_worlds(given.scenes, given.statements, given.workers)
    stages(min(given.scenes, 500))


if __name__ == "__main__":
    main()
