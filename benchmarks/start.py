"""How long `chiasm --help` takes, beside an interpreter that does nothing and one that imports torch.

    python benchmarks/start.py [--rounds 9]

Wall seconds and processor seconds of whole processes, taken in turn; medians. The aim is 0.2 s.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

CASES = {
    "python -c pass": ["-c", "pass"],
    "chiasm --help": ["-m", "chiasm", "--help"],
    "import torch": ["-c", "import torch"],
}


def once(words: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of one process."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *words], capture_output=True, check=True)
    wall, after = time.perf_counter() - start, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    seen: dict[str, list[tuple[float, float]]] = {name: [once(words)] for name, words in CASES.items()}
    for _ in range(rounds):
        for name, words in CASES.items():
            seen[name].append(once(words))
    for name, times in seen.items():
        wall, cpu = (statistics.median(values) for values in zip(*times[1:], strict=True))
        print(f"{name:16} wall {wall:6.3f} s   processor {cpu:6.3f} s")


if __name__ == "__main__":
    main()
