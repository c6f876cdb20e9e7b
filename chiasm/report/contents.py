"""What a report holds, before it is a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chiasm.explain.explanation import Explanation
from chiasm.metrics.estimate import Estimate


@dataclass(frozen=True)
class Example:
    """One example of the report: its explanation, and whether the answer is right (None: unknown)."""

    explanation: Explanation
    correct: bool | None = None


@dataclass(frozen=True)
class Report:
    """Everything one run has to say. All shares are in [0, 1].

    Raises ValueError when numbers on generated data are to stand beside printed ones: they do not compare.
    """

    title: str
    metrics: Mapping[str, Estimate]  # "accuracy"; "accuracy/<facet>/<type>" for its parts
    headline: str = "accuracy"  # the metric that comes first
    generated: bool = False  # the data are the generated world
    subtitle: str = ""
    baselines: Mapping[str, Estimate] = field(default_factory=dict)  # name -> estimate of the headline
    baseline_parts: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)  # name -> its metrics
    paper: Mapping[str, Any] = field(default_factory=dict)  # printed numbers
    journal: Sequence[Mapping[str, Any]] = ()  # the lines of the run's log
    examples: Sequence[Example] = ()
    recipe: str = ""  # TOML
    data: Mapping[str, Any] = field(default_factory=dict)  # what the examples are: name -> value
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.generated and self.paper:
            raise ValueError("numbers on the generated world do not compare with printed ones: leave `paper` empty")
        if self.metrics and self.headline not in self.metrics:
            raise ValueError(f"the headline {self.headline!r} is not among the metrics: {', '.join(self.metrics)}")

    def parts(self) -> dict[str, dict[str, Estimate]]:
        """Facet -> type -> estimate, for the headline's parts: {"structural": {"query": ...}}."""
        return parts_of(self.metrics, self.headline)


def parts_of(metrics: Mapping[str, Estimate], headline: str) -> dict[str, dict[str, Estimate]]:
    """Facet -> type -> estimate. "accuracy/query" without a facet is of the facet "type"."""
    found: dict[str, dict[str, Estimate]] = {}
    for name, estimate in metrics.items():
        if name.startswith(f"{headline}/"):
            facet, _, kind = name.removeprefix(f"{headline}/").rpartition("/")
            found.setdefault(facet or "type", {})[kind] = estimate
    return found
