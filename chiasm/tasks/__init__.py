"""What is asked of a model: a file here is a task, found by its name. Each defines `Task`, a subclass of `BaseTask`.

A task turns examples into targets, scores into answers, answers into the official metrics and the official
file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self

from torch import Tensor

from chiasm.batch import Output
from chiasm.data.columns import Column, EncodedDataset
from chiasm.data.example import Example
from chiasm.data.vocabulary import is_missing
from chiasm.metrics.estimate import Estimate
from chiasm.objectives import Objective
from chiasm.registry import find, names


@dataclass(frozen=True)
class Prediction:
    """The answer to one example, the runners-up, and what further heads said."""

    id: str
    answer: Any  # str, bool, float or list of labels
    probability: float  # of the answer; 1 when the answer is a number
    alternatives: tuple[tuple[Any, float], ...] = ()  # (answer, probability), best first, with the answer
    heads: Mapping[str, Any] = field(default_factory=dict)  # further outputs by head: generated text, masks


class BaseTask(ABC):
    """Targets <- answers; scores -> answers -> metrics, submission file.

    A subclass's `__init__` takes keyword options of plain values (the recipe's `[task]` keys) and keeps
    them in `self.options`.
    """

    name: ClassVar[str]
    headline: str  # the metric by which the best checkpoint is chosen: higher is better
    images: int = 1  # how many images an example has
    measured_on_targets: bool = False  # what is measured is read from batches made by `dataset`, not from raw inputs
    options: dict[str, Any]

    @abstractmethod
    def fit(self, examples: Sequence[Example]) -> Self:
        """Learn the answer vocabulary from training examples; returns itself. Raises DataError without one."""

    @abstractmethod
    def facts(self) -> Mapping[str, int]:
        """Sizes for the model config, by field name: {"num_labels": 3129, "num_images": 1}."""

    @abstractmethod
    def objectives(self) -> Mapping[str, Objective]:
        """head -> loss."""

    @abstractmethod
    def targets(self, examples: Sequence[Example]) -> Mapping[str, Column]:
        """head -> targets of all examples, in order. Examples without an answer get an 'ignored' target."""

    def labelled(self, example: Example) -> bool:
        """Whether the example says what is right, so that an answer to it can be measured."""
        return is_answered(example.values.get("answer"))

    def dataset(self, examples: Sequence[Example], streams: Mapping[str, Column]) -> EncodedDataset:
        """The examples with their targets. A task that changes the inputs (hides a part of them) overrides this."""
        return EncodedDataset(examples, streams, self.targets(examples))

    @abstractmethod
    def decode(self, output: Output, ids: Sequence[str], *, top_k: int = 5) -> list[Prediction]:
        """The answers of one batch, in order."""

    @abstractmethod
    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        """The official metrics: name -> estimate; "accuracy/<facet>/<type>" for parts, e.g.
        "accuracy/structural/query". Predictions and examples are matched by id; raises DataError otherwise."""

    def notes(self) -> Mapping[str, str]:
        """How metrics were counted where their name does not say it, by metric; kept and shown beside the numbers."""
        return {}

    @abstractmethod
    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """Write the official submission file."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write `task.json` (name, options, vocabulary) into `folder` (which exists)."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""

    def score_of(self, output: Output, answers: Sequence[int]) -> Tensor:
        """(B,) the score of the given answer index of each example in the main head, for attributions."""
        (scores,) = list(output.scores.values())[:1]
        return scores.gather(1, scores.new_tensor(answers).long()[:, None]).squeeze(1)


def is_answered(value: Any) -> bool:
    """Whether there is something to compare with: not None, not NaN, not a text without a character."""
    return not is_missing(value) and not (isinstance(value, str) and not value.strip())


def task_names() -> list[str]:
    """All tasks."""
    return names(__name__, __path__)


def task(name: str) -> ModuleType:
    """The task file `name`; an unknown one is an error with the nearest known name."""
    return find(__name__, __path__, name, what="task")
