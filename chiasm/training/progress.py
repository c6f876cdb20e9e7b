"""What a person sees while a model trains: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress


@dataclass(frozen=True)
class Status:
    """Where a run is."""

    step: int
    steps: int
    epoch: int  # counted from 1
    epochs: int
    loss: float  # mean since the last line of the log
    headline: float  # of the last validation; NaN before the first
    seconds: float
    seconds_left: float
    measure: str = "accuracy"  # what the headline is

    def __str__(self) -> str:
        known = "-" if math.isnan(self.headline) else f"{100 * self.headline:.1f} %"
        if self.headline < 0:  # no share: minus a loss, an R2 below that of the mean
            known = f"{self.headline:.4f}"
        return (
            f"epoch {self.epoch}/{self.epochs}  step {self.step}/{self.steps}  loss {self.loss:.4f}  "
            f"{self.measure.replace('_', ' ')} {known}  {clock(self.seconds_left)} left"
        )


class Progress(ABC):
    """Shows the progress of work."""

    interval: float  # seconds between two updates that are worth making

    @abstractmethod
    def update(self, status: Status) -> None: ...

    @abstractmethod
    def note(self, text: str) -> None:
        """A line that stays."""

    @abstractmethod
    def close(self) -> None: ...


class Quiet(Progress):
    """Shows nothing."""

    interval = math.inf

    def update(self, status: Status) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class Lines(Progress):
    """A line on standard error every ten seconds: for files, pipes and notebooks."""

    interval = 10.0

    def update(self, status: Status) -> None:
        self.note(str(status))

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class Bar(Progress):
    """A moving bar on a terminal: epoch, loss, accuracy, time left."""

    interval = 0.2

    def __init__(self) -> None:
        columns = (BarColumn(bar_width=24), TextColumn("{task.description}"))
        self._rich = RichProgress(*columns, console=Console(stderr=True), refresh_per_second=5)
        self._task: TaskID | None = None

    def update(self, status: Status) -> None:
        if self._task is None:
            self._rich.start()
            self._task = self._rich.add_task("", total=status.steps)
        self._rich.update(self._task, description=str(status), completed=status.step, total=status.steps)

    def note(self, text: str) -> None:
        self._rich.console.print(text, highlight=False)

    def close(self) -> None:
        self._rich.stop()
        self._task = None


def progress(show: bool | None = None) -> Progress:
    """A bar on a terminal, lines elsewhere; `show=False`: nothing."""
    if show is False:
        return Quiet()
    return Bar() if sys.stderr.isatty() else Lines()


def clock(seconds: float) -> str:
    """75 -> "1:15"; unknown -> "-"."""
    if not math.isfinite(seconds):
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Rate:
    """How fast something goes, from when it was started."""

    def __init__(self, done: int) -> None:
        self._first, self._start = done, time.monotonic()

    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start

    def seconds_left(self, done: int, total: int) -> float:
        """At the mean rate so far; infinite before the first one is done."""
        passed = done - self._first
        return self.seconds() / passed * (total - done) if passed else math.inf
