"""The emotion, or sentiment, of each utterance of a dialogue."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from chiasm.batch import Output
from chiasm.data.columns import Column, TensorColumn
from chiasm.data.example import DataError, Example
from chiasm.metrics import classification
from chiasm.metrics.class_counts import ClassCounts
from chiasm.metrics.estimate import Estimate, Resampling
from chiasm.objectives import Objective
from chiasm.objectives.answers import one_answer
from chiasm.tasks import BaseTask, Prediction, is_answered
from chiasm.tasks._decoding import ranked, scores_of
from chiasm.tasks._pairing import gold, load_state, paired, save_state

HEAD = "answer"
IGNORE = -1  # the target of an utterance without a label


class Emotion(BaseTask):
    """One label of several for each utterance, by cross-entropy, without class weights.

    `labels`: all labels in order; empty: those seen in training, by frequency. Intervals resample whole dialogues,
    because the utterances of one are not independent.
    """

    name = "emotion"
    headline = "weighted_f1"
    images = 0

    def __init__(self, *, labels: tuple[str, ...] = ()) -> None:
        self.options: dict[str, Any] = {"labels": list(labels)}
        self._labels = tuple(labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of the scores. Raises RuntimeError before `fit`."""
        if not self._labels:
            raise RuntimeError("task 'emotion' has no labels yet: call fit(training examples) or load(folder)")
        return self._labels

    def fit(self, examples: Sequence[Example]) -> Self:
        """Raises DataError when there is no label, or one that is not listed."""
        counts: Counter[Any] = Counter(answer for e in examples if is_answered(answer := e.values.get("answer")))
        if not counts:
            raise DataError(f"none of the {len(examples)} training utterances has a label")
        unknown = sorted(set(counts) - set(self._labels)) if self._labels else []
        if unknown:
            raise DataError(f"utterances have the label {unknown[0]!r}; the listed ones are {', '.join(self._labels)}")
        self._labels = self._labels or tuple(sorted(counts, key=lambda label: (-counts[label], label)))
        return self

    def facts(self) -> Mapping[str, int]:
        return {"num_labels": len(self.labels), "num_images": self.images}

    def objectives(self) -> Mapping[str, Objective]:
        return {HEAD: one_answer}

    def targets(self, examples: Sequence[Example]) -> Mapping[str, Column]:
        """ "answer": (B,) int64 numbers of labels, -1 where there is none or an unknown one. Raises DataError."""
        number: dict[Any, int] = {label: i for i, label in enumerate(self.labels)}
        answers = [example.values.get("answer") for example in examples]
        targets = torch.tensor([number.get(answer, IGNORE) for answer in answers])
        given = [answer for answer in answers if is_answered(answer)]
        if given and bool((targets == IGNORE).all()):
            raise DataError(f"no label of these utterances is known (e.g. {given[0]!r}); are they of another data set?")
        return {HEAD: TensorColumn(targets)}

    def decode(self, output: Output, ids: Sequence[str], *, top_k: int = 5) -> list[Prediction]:
        """Raises DataError for scores that are not numbers."""
        scores = scores_of(output, HEAD, ids, len(self.labels))
        return ranked(scores.softmax(1), self.labels, ids, top_k)

    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        """`accuracy`; macro, weighted and micro precision, recall and F1; each of them by label; and
        `confusion/<true>/<given>`, the share of a label's utterances that were given each label."""
        said = [p.answer for p in paired(predictions, examples)]
        true = gold(examples, self.labelled)
        labels = [*self.labels, *sorted(set(true) - set(self.labels))]
        dialogues = [example.info.get("cluster", example.id) for example in examples]
        measures = classification.evaluate(true, said, labels, groups=dialogues)
        return measures | _confusion(true, said, labels, dialogues)

    def counts(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> ClassCounts:
        """The counts behind a table of classes; `.table()` prints every definition of its columns."""
        said = [p.answer for p in paired(predictions, examples)]
        return ClassCounts.count(gold(examples, self.labelled), said, self.labels)

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """CSV: id, answer, probability."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "answer", "probability"])
            writer.writerows([p.id, p.answer, f"{p.probability:.6f}"] for p in predictions)

    def save(self, folder: Path) -> None:
        save_state(folder, self.name, self.options, answers=self.labels)

    @classmethod
    def load(cls, folder: Path) -> Self:
        state = load_state(folder, cls.name, "answers")
        task = cls(**state["options"])
        task._labels = tuple(state["answers"])
        return task


Task = Emotion


def _confusion(
    true: Sequence[str], said: Sequence[str], labels: Sequence[str], dialogues: Sequence[object]
) -> dict[str, Estimate]:
    """Row-normalised confusion, for the labels that occur."""
    resampling = Resampling(dialogues)
    found: dict[str, Estimate] = {}
    for label in labels:
        of_label = np.array([one == label for one in true])
        if of_label.any():
            for given in labels:
                so_called = np.array([one == given for one in said])
                found |= resampling.shares(so_called, {f"confusion/{label}/{given}": of_label})
    return found
