"""What the service takes and what it refuses: sizes, times, and how much it holds at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """The service's bounds; each is checked where it is named, and its refusal says the number."""

    body_bytes: int = 16 * MEGABYTE  # of one request
    pixels: int = 40_000_000  # of one picture, by its header, before it is decoded
    images: int = 8  # of one row
    boxes: int = 500  # of one picture, and things of one scene graph
    text: int = 10_000  # characters of a row's text
    rows: int = 64  # of one request
    requests: int = 512  # being read or answered at once
    queue: int = 256  # requests waiting for the model
    held_bytes: int = 256 * MEGABYTE  # bodies of all requests together
    held_pixels: int = 200_000_000  # pictures of all requests together: 3 bytes a pixel once decoded
    batch: int = 32  # rows that the model answers at once
    receive_seconds: float = 15.0  # for a request to arrive, head and body
    send_seconds: float = 30.0  # for a client to take its answer
    answer_seconds: float = 60.0  # from a whole request to its answer

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"the limit {name} is {value}; it must be above 0")


class Refused(Exception):
    """A request that is not answered: the HTTP status, the reason, and when to come again (503)."""

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry_after = status, reason, retry_after


class Budget:
    """How much of something all requests hold together, in any thread."""

    def __init__(self, limit: int, what: str) -> None:
        self.limit, self.what, self.held = limit, what, 0
        self._lock = threading.Lock()

    def take(self, amount: int) -> None:
        """Raises `Refused` (503) when more would be held than the limit; something is always let in."""
        with self._lock:
            if self.held and self.held + amount > self.limit:
                raise Refused(503, f"too many {self.what} are being worked on; come again soon", retry_after=1)
            self.held += amount

    def give(self, amount: int) -> None:
        """What was taken is held no longer."""
        with self._lock:
            self.held -= amount


class Holding:
    """What one request has taken from a budget; left as a whole at its end."""

    def __init__(self, budget: Budget) -> None:
        self.budget, self.amount = budget, 0

    def take(self, amount: int) -> None:
        """Raises `Refused`: as `Budget.take` does, and 413 when the request would never fit."""
        if self.amount and self.amount + amount > self.budget.limit:
            raise Refused(413, f"the request alone holds more than {self.budget.limit:,} {self.budget.what}: send less")
        self.budget.take(amount)
        self.amount += amount

    def __enter__(self) -> Holding:
        return self

    def __exit__(self, *_: object) -> None:
        self.budget.give(self.amount)
        self.amount = 0
