"""What the service counts, in the text format that Prometheus reads."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
Labels = tuple[tuple[str, str], ...]


class Counters:
    """Counters, histograms and gauges by name; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, _Histogram]] = {}
        self._gauges: dict[str, Callable[[], float]] = {}
        self._help: dict[str, str] = {}

    def describe(self, name: str, meaning: str) -> None:
        """The line of help of a name."""
        self._help[name] = meaning

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """A value that is read when it is asked for."""
        self.describe(name, meaning)
        self._gauges[name] = read

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count `amount` more."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            found = self._counts.setdefault(name, {})
            found[key] = found.get(key, 0) + amount

    def observe(self, name: str, value: float, *, bounds: Sequence[float] = SECONDS, **labels: str) -> None:
        """Put one value into a histogram."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            self._histograms.setdefault(name, {}).setdefault(key, _Histogram(bounds)).put(value)

    def value(self, name: str, **labels: str) -> float:
        """What was counted so far."""
        with self._lock:
            return self._counts.get(name, {}).get(tuple(sorted(labels.items())), 0)

    def to_text(self) -> str:
        """The exposition format, version 0.0.4."""
        lines: list[str] = []
        with self._lock:
            for name, counts in sorted(self._counts.items()):
                lines += self._head(name, "counter")
                lines += [f"{name}{_labels(key)} {_number(value)}" for key, value in sorted(counts.items())]
            for name, histograms in sorted(self._histograms.items()):
                lines += self._head(name, "histogram")
                for key, histogram in sorted(histograms.items()):
                    lines += histogram.lines(name, key)
        for name, read in sorted(self._gauges.items()):
            lines += [*self._head(name, "gauge"), f"{name} {_number(read())}"]
        return "\n".join(lines) + "\n"

    def _head(self, name: str, kind: str) -> list[str]:
        return [f"# HELP {name} {self._help.get(name, name)}", f"# TYPE {name} {kind}"]


class _Histogram:
    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.total = tuple(bounds), [0] * (len(bounds) + 1), 0.0

    def put(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str, key: Labels) -> list[str]:
        found, below = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            found.append(f"{name}_bucket{_labels((*key, ('le', bound)))} {below}")
        return [*found, f"{name}_sum{_labels(key)} {_number(self.total)}", f"{name}_count{_labels(key)} {below}"]


def _labels(key: Labels) -> str:
    if not key:
        return ""
    escape: Mapping[int, str] = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
    return "{" + ",".join(f'{name}="{value.translate(escape)}"' for name, value in key) + "}"


def _number(value: float) -> str:
    return f"{value:.10g}"
