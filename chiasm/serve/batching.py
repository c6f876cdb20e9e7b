"""Dynamic batching: requests that arrive together are answered together, by one thread that has the models to itself.

A model records its evidence while it runs, so only one thing may run in it at a time; a single thread for all models
makes that plain, and on a CPU two models at once would only share the cores. Jobs are taken in the order in which they
came. Whatever else waits for the same model and can be answered in one pass joins the first one.

Nothing waits while it is alone. After a batch of several, when their clients are about to ask again, the next batch
waits for as many, but no longer than `PATIENCE` of the time that the last one took.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from chiasm.serve.counters import ROWS, Counters
from chiasm.serve.limits import Limits, Refused

PATIENCE = 0.3  # of the last batch's time
LONGEST = 0.05  # seconds

Run = Callable[[Sequence[Any]], Sequence[Any]]  # rows -> one result each


@dataclass(eq=False)
class _Job:
    group: Hashable  # jobs of one group may run together; None: alone
    run: Run
    rows: Sequence[Any]
    future: Future[list[Any]] = field(default_factory=Future)


class Batcher:
    """A bounded queue of jobs and the thread that runs them."""

    def __init__(self, limits: Limits, counters: Counters | None = None) -> None:
        self.limits = limits
        self.counters = counters or Counters()
        self.counters.describe("chiasm_batch_rows", "rows that one pass of a model answered")
        self.counters.describe("chiasm_batch_seconds", "seconds that one pass took")
        self.counters.gauge("chiasm_queue", "requests waiting for a model", lambda: float(self.waiting))
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self.closing = False  # whether no more is taken
        self._last = (1, 0.0)  # jobs and seconds of the last batch
        self._each = 0.0  # seconds a job took on average lately
        self._thread = threading.Thread(target=self._work, name="chiasm-batcher", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Jobs that have not begun."""
        return len(self._jobs)

    def submit(self, run: Run, rows: Sequence[Any], *, group: Hashable = None) -> Future[list[Any]]:
        """The results of `run(rows)`, later. Raises `Refused` (503) when the queue is full or closing.

        Jobs of one group may be given to the first one's `run` together.
        """
        job = _Job(group, run, rows)
        with self._changed:
            if self.closing:
                raise Refused(503, "the service is shutting down", retry_after=5)
            if len(self._jobs) >= self.limits.queue:
                raise Refused(503, f"{len(self._jobs)} requests are waiting already", retry_after=self.retry_after())
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    async def answer(self, run: Run, rows: Sequence[Any], *, group: Hashable = None) -> list[Any]:
        """`submit`, awaited; a caller that is cancelled takes its job out of the queue."""
        return await asyncio.wrap_future(self.submit(run, rows, group=group))

    def retry_after(self) -> int:
        """Whole seconds in which the queue is likely to be half as long."""
        return max(1, math.ceil(len(self._jobs) / 2 * self._each))

    def close(self) -> None:
        """Take no more; return when everything that was taken is done."""
        with self._changed:
            self.closing = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while jobs := self._next():
            started = time.perf_counter()
            outcomes = _outcomes(jobs)
            seconds = time.perf_counter() - started
            self._last = (len(jobs), seconds)
            self._each = 0.8 * self._each + 0.2 * seconds / len(jobs) if self._each else seconds / len(jobs)
            self.counters.observe("chiasm_batch_rows", sum(len(job.rows) for job in jobs), bounds=ROWS)
            self.counters.observe("chiasm_batch_seconds", seconds)
            for job, outcome in zip(jobs, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    job.future.set_exception(outcome)
                else:
                    job.future.set_result(outcome)

    def _next(self) -> list[_Job]:
        """The jobs to run now; none when the queue is empty and closing."""
        with self._changed:
            while True:
                while not self._jobs and not self.closing:
                    self._changed.wait()
                if not self._jobs:
                    return []
                self._linger()
                taken = self._take()
                if taken:
                    return taken

    def _linger(self) -> None:
        """Wait for as many jobs as the last batch had, a little."""
        wanted, seconds = self._last
        until = time.perf_counter() + min(LONGEST, PATIENCE * seconds)
        while len(self._jobs) < wanted and not self.closing:
            left = until - time.perf_counter()
            if left <= 0:
                return
            self._changed.wait(left)

    def _take(self) -> list[_Job]:
        """The first job and those that may join it, in order; jobs whose client has gone are dropped."""
        taken: list[_Job] = []
        rest: deque[_Job] = deque()
        rows = 0
        while self._jobs:
            job = self._jobs.popleft()
            joins = not taken or (
                job.group is not None and job.group == taken[0].group and rows + len(job.rows) <= self.limits.batch
            )
            if not joins:
                rest.append(job)
            elif job.future.set_running_or_notify_cancel():
                taken.append(job)
                rows += len(job.rows)
        self._jobs = rest
        return taken


def _outcomes(jobs: Sequence[_Job]) -> list[list[Any] | Exception]:
    """What became of each job, run as one; when that fails unexpectedly, each alone, so that only the culprit fails."""
    rows = [row for job in jobs for row in job.rows]
    try:
        results = list(jobs[0].run(rows))
        if len(results) != len(rows):
            raise RuntimeError(f"{len(results)} results for {len(rows)} rows")
    except Exception as error:
        return [error] if len(jobs) == 1 else [outcome for job in jobs for outcome in _outcomes([job])]
    left = iter(results)
    return [[next(left) for _ in job.rows] for job in jobs]
