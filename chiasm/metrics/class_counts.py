"""Every measure that a table of class labels may mean, from three counts of each class.

COIN's Table 1 calls two different things "Acc.": in its own row and in Table 2 the class columns are *precision*, in
the rows quoted from earlier papers they are *recall*; its average "Acc" is weighted precision and its average "F1" is
accuracy. So a table printed here names each measure (sheet `coin`, section 5, where the counts are reconstructed).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from chiasm.metrics.classification import confusion
from chiasm.metrics.estimate import Array


@dataclass(frozen=True)
class ClassCounts:
    """For each of C classes: cases rightly given to it, cases given to it, cases that belong to it."""

    labels: tuple[str, ...]
    correct: NDArray[np.int64]  # (C,)
    predicted: NDArray[np.int64]  # (C,)
    support: NDArray[np.int64]  # (C,)

    @classmethod
    def count(cls, targets: Sequence[Hashable], predictions: Sequence[Hashable], labels: Sequence[Hashable]) -> Self:
        """From labels (n) and predictions (n). Raises ValueError for a label that is not listed."""
        table = confusion(targets, predictions, labels)
        names = tuple(str(label) for label in labels)
        return cls(names, table.diagonal().copy(), table.sum(0), table.sum(1))

    @property
    def precision(self) -> Array:
        """(C,), 0 for a class never predicted."""
        return _ratio(self.correct, self.predicted)

    @property
    def recall(self) -> Array:
        """(C,), 0 for a class that does not occur."""
        return _ratio(self.correct, self.support)

    @property
    def f1(self) -> Array:
        """(C,) the harmonic mean of the two."""
        return _ratio(2 * self.correct, self.predicted + self.support)

    @property
    def accuracy(self) -> float:
        return float(self.correct.sum() / self.support.sum())

    @property
    def weighted_precision(self) -> float:
        """Precision weighted by support: what COIN's average column "Acc" is."""
        return self._weighted(self.precision)

    @property
    def weighted_f1(self) -> float:
        return self._weighted(self.f1)

    @property
    def macro_f1(self) -> float:
        """Over the classes that occur or are predicted."""
        occurs = self.predicted + self.support > 0
        return float(self.f1[occurs].mean())

    def _weighted(self, values: Array) -> float:
        return float((values * self.support).sum() / self.support.sum())

    def table(self) -> str:
        """Lines of text: precision, recall and F1 of each class, then every average, in per cent."""
        width = max(len(label) for label in (*self.labels, "class"))
        lines = [f"{'class':<{width}}  precision  recall      F1  support"]
        for label, p, r, f, n in zip(self.labels, self.precision, self.recall, self.f1, self.support, strict=True):
            lines.append(f"{label:<{width}}  {100 * p:9.2f}  {100 * r:6.2f}  {100 * f:6.2f}  {n:7d}")
        averages = {
            "accuracy (COIN's own row prints it as average F1)": self.accuracy,
            "weighted precision (COIN's own row prints it as average Acc)": self.weighted_precision,
            "weighted F1": self.weighted_f1,
            "macro F1": self.macro_f1,
        }
        return "\n".join([*lines, *(f"{name}: {100 * value:.2f}" for name, value in averages.items())])


def _ratio(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> Array:
    return np.where(denominator > 0, numerator / np.maximum(denominator, 1), 0.0)
