"""A progress bar for work that turns out to be long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 2.0  # seconds before the bar appears


def track(items: Iterable[T], total: int | None, title: str, *, by: Callable[[T], float] = lambda _: 1) -> Iterator[T]:
    """The same items; a bar with the time left appears on a terminal when they take longer than two seconds.

    `by` says how many of the total an item counts for.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    start = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total, visible=False)
        for item in items:
            yield item
            bar.update(task, advance=by(item), visible=time.monotonic() - start > PATIENCE)
