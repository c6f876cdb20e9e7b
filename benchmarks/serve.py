"""Many clients at once: the service with dynamic batching beside the same service answering one request after another.

    python benchmarks/serve.py BUNDLE [--clients 64] [--seconds 6] [--rounds 3]

BUNDLE is one of the generated world (`chiasm demo`) or comes with --rows FILE. Two servers run, as processes of their
own: `chiasm serve --batch 32` and `--batch 1`. They are loaded in turn: every client keeps one connection and asks
again as soon as it is answered, each time about another of up to 64 rows with a picture each. Every answer is compared
with `chiasm.load(BUNDLE).predict` of that row alone. Clients run in this process, on the same machine: they cost time.

"per CPU s" is requests for each second of processor time of the server, which other work on the machine disturbs less
than the clock. A request is lost when it is not answered with 200. "difference" is the largest one of a probability;
the answers themselves have to be equal.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import chiasm
from chiasm.data.example import RowError
from chiasm.serve.examples import examples_of_file, examples_of_world
from chiasm.serve.limits import Limits
from chiasm.serve.predictor import Predictor
from chiasm.serve.received import received
from chiasm.serve.schemas import Row

DISTINCT = 64
SERVERS = {"batched": 32, "one by one": 1}


@dataclass
class Load:
    """What one round found."""

    seconds: float = 0.0
    processor: float = 0.0  # seconds that the server computed
    times: list[float] = field(default_factory=list)  # of each answered request
    lost: int = 0
    wrong: int = 0
    difference: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds


@dataclass(frozen=True)
class Running:
    """A server's address and process."""

    address: tuple[str, int]
    process: int

    def processor_seconds(self) -> float:
        """User and system time of the process so far; 0 where the system does not tell."""
        status = Path(f"/proc/{self.process}/stat")
        if not status.exists():
            return 0.0
        fields = status.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server(bundle: Path, batch: int, threads: int) -> Iterator[Running]:
    """`chiasm serve` in a process of its own, ended by SIGTERM."""
    words = [sys.executable, "-m", "chiasm", "serve", str(bundle), "--port", "0", "--batch", str(batch)]
    words += ["--seconds", "600"]  # so that on a busy machine nothing is refused for its age
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        while "serving at" not in (line := process.stdout.readline()):
            if not line:
                raise SystemExit("the server did not start")
        parts = urlsplit(line.split()[2])
        assert parts.hostname
        assert parts.port
        yield Running((parts.hostname, parts.port), process.pid)
        process.terminate()
        process.communicate(timeout=60)
        if process.returncode != 0:
            raise SystemExit(f"the server ended with {process.returncode}")


def rows_of(predictor: Predictor, rows: Path | None) -> list[dict[str, Any]]:
    """Rows with a picture each, as a client sends them."""
    if rows is not None:
        found = examples_of_file(rows, predictor.bundle, count=DISTINCT)
    else:
        found = examples_of_world(predictor.bundle, count=DISTINCT)
    if not found:
        raise SystemExit("the bundle is of no generated world: give --rows FILE")
    return [{key: value for key, value in row.items() if key in ("text", "images", "table")} for row in found]


def alone(predictor: Predictor, row: dict[str, Any]) -> tuple[Any, float]:
    """The answer to one row by itself."""
    example = received(Row(**row), Limits(), lambda pixels: None)
    if isinstance(example, RowError):
        raise example
    (answer,) = predictor.predict([example])
    return answer.answer, answer.probability  # type: ignore[union-attr]


async def one_client(
    address: tuple[str, int], asked: Sequence[tuple[bytes, tuple[Any, float]]], start: int, until: float, load: Load
) -> None:
    """Ask, wait, ask again."""
    reader, writer = await asyncio.open_connection(*address)
    place = start
    while time.perf_counter() < until:
        message, expected = asked[place % len(asked)]
        place += 1
        began = time.perf_counter()
        writer.write(message)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            content = json.loads(await reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            load.lost += 1
            return
        if not head.startswith(b"HTTP/1.1 200"):
            load.lost += 1
            continue
        load.times.append(time.perf_counter() - began)
        load.wrong += content["answer"] != expected[0]
        load.difference = max(load.difference, abs(content["probability"] - expected[1]))
    writer.close()
    await writer.wait_closed()


async def loaded(server: Running, asked: Any, clients: int, seconds: float) -> Load:
    """All clients for some seconds."""
    used, load, began = server.processor_seconds(), Load(), time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(one_client(server.address, asked, start, until, load) for start in range(clients)))
    load.seconds, load.processor = time.perf_counter() - began, server.processor_seconds() - used
    return load


def post(row: dict[str, Any]) -> bytes:
    """The request for one row."""
    body = json.dumps({**row, "top_k": 3}).encode()
    head = "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of torch in each server")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    predictor = chiasm.load(options.bundle)
    rows = rows_of(predictor, options.rows)
    asked = [(post(row), alone(predictor, row)) for row in rows]
    print(f"{len(asked)} distinct rows, {options.clients} clients, {options.rounds} rounds of {options.seconds:g} s")
    found: dict[str, list[Load]] = {name: [] for name in SERVERS}
    with (
        server(options.bundle, SERVERS["batched"], options.threads) as batched,
        server(options.bundle, SERVERS["one by one"], options.threads) as single,
    ):
        for running in (batched, single):  # warm up
            asyncio.run(loaded(running, asked, options.clients, 1.0))
        for _ in range(options.rounds):
            for name, running in zip(SERVERS, (batched, single), strict=True):
                found[name].append(asyncio.run(loaded(running, asked, options.clients, options.seconds)))
    show(found, options.json)


def show(found: dict[str, list[Load]], file: Path | None) -> None:
    """The table, and the ratio of the medians."""
    print(
        f"{'':<12}{'requests/s':>11}{'best':>8}{'per CPU s':>11}{'median ms':>11}{'95 % ms':>9}"
        f"{'asked':>8}{'lost':>6}{'wrong':>7}  difference"
    )
    record = {}
    for name, loads in found.items():
        times = sorted(value for load in loads for value in load.times)
        line = {
            "rate": statistics.median(load.rate for load in loads),
            "best": max(load.rate for load in loads),
            "per_cpu_second": len(times) / (sum(load.processor for load in loads) or float("nan")),
            "median_ms": 1000 * times[len(times) // 2],
            "p95_ms": 1000 * times[int(0.95 * len(times))],
            "asked": len(times) + sum(load.lost for load in loads),
            "lost": sum(load.lost for load in loads),
            "wrong": sum(load.wrong for load in loads),
            "difference": max(load.difference for load in loads),
        }
        record[name] = line
        print(
            f"{name:<12}{line['rate']:>11.1f}{line['best']:>8.1f}{line['per_cpu_second']:>11.1f}{line['median_ms']:>11.1f}{line['p95_ms']:>9.1f}"
            f"{line['asked']:>8}{line['lost']:>6}{line['wrong']:>7}  {line['difference']:.1e}"
        )
    batched, single = (record[name] for name in SERVERS)
    print(
        f"batched / one by one: {batched['rate'] / single['rate']:.2f} "
        f"(best of each: {batched['best'] / single['best']:.2f}; "
        f"per CPU second: {batched['per_cpu_second'] / single['per_cpu_second']:.2f})"
    )
    if file is not None:
        file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
