"""A process of our own that works for this one, and talks with it in lines."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def worker(arguments: Sequence[str], *, keep_open: tuple[int, ...] = ()) -> Iterator[tuple[IO[str], IO[str]]]:
    """The input and the output of `python ARGUMENTS...`, which finds this package.

    It is killed when the block ends. It ends also when this process is killed, for its input ends then. `keep_open`:
    open files that it holds too (not on Windows).

    Not `multiprocessing`: that imports the caller's main module again, which a script without a guard does not
    survive, and forking a process that runs torch's threads is not safe.
    """
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        pass_fds=keep_open if os.name == "posix" else (),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdin, process.stdout
    finally:
        process.kill()
        process.communicate()
