"""A class for each row: one of several, yes or no, or any number of labels."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from chiasm.batch import Output
from chiasm.data.answers import build_targets
from chiasm.data.columns import Column
from chiasm.data.example import DataError, Example
from chiasm.data.vocabulary import AnswerVocabulary, labels_of
from chiasm.metrics import classification, precision_recall
from chiasm.metrics.estimate import Estimate
from chiasm.objectives import Objective
from chiasm.objectives.answers import one_answer, several_labels, yes_or_no
from chiasm.tasks import BaseTask, Prediction
from chiasm.tasks._answers import HEAD, checked, ignoring
from chiasm.tasks._decoding import ranked, score_of_yes, scores_of, two_answers
from chiasm.tasks._pairing import gold, images_of, load_state, paired, save_state

SHOWN_LABELS = 50  # with more labels than this, measures by label are left out
KINDS: Mapping[str, tuple[Objective, str]] = {  # the loss and the headline of each kind
    "one": (one_answer, "accuracy"),
    "binary": (yes_or_no, "accuracy"),
    "several": (several_labels, "micro_f1"),
}


class Classify(BaseTask):
    """The label, or labels, of a row.

    - `kind`: "one" label of any number (softmax); "binary", one of two labels (one score, its sigmoid); "several",
      any number of labels (a sigmoid each)
    - `labels`: all labels in order; empty: those seen in training, by frequency ("binary": by name, so that the
      second, the positive one, is "true", "yes" or "1")
    - `min_count`: how often a label must occur in training
    - `threshold`: "several": a label is given when its probability is at least this; "binary": the positive one
    - `images`: how many images a row has
    """

    name = "classify"

    def __init__(
        self,
        *,
        kind: Literal["one", "binary", "several"] = "one",
        labels: tuple[str, ...] = (),
        min_count: int = 1,
        threshold: float = 0.5,
        images: int = 1,
    ) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f"threshold must be between 0 and 1, got {threshold}")
        self.kind, self.threshold, self.images = kind, threshold, images
        self.objective, self.headline = KINDS[kind]
        self.options: dict[str, Any] = {
            "kind": kind,
            "labels": list(labels),
            "min_count": min_count,
            "threshold": threshold,
            "images": images,
        }
        self._vocabulary: AnswerVocabulary | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of the scores. Raises RuntimeError before `fit`."""
        return self.vocabulary.answers

    @property
    def vocabulary(self) -> AnswerVocabulary:
        """The labels and their numbers. Raises RuntimeError before `fit`."""
        if self._vocabulary is None:
            raise RuntimeError("task 'classify' has no labels yet: call fit(training examples) or load(folder)")
        return self._vocabulary

    def fit(self, examples: Sequence[Example]) -> Self:
        given = [label for example in examples for label in self._labels_of(example)]
        fitted = AnswerVocabulary.fit(given, min_count=self.options["min_count"])
        labels = list(self.options["labels"]) or list(fitted.answers)
        unknown = [label for label in fitted.answers if label not in labels]
        if unknown:
            raise DataError(f"training rows have the label {unknown[0]!r}; the listed ones are {', '.join(labels)}")
        if self.kind == "binary" and len(labels) != 2:
            raise DataError(f"a binary task needs two labels; there are {len(labels)}: {', '.join(labels[:10])}")
        by_name = self.kind == "binary" and not self.options["labels"]
        self._vocabulary = AnswerVocabulary(sorted(labels) if by_name else labels)
        return self

    def facts(self) -> Mapping[str, int]:
        return {"num_labels": self._size, "num_images": self.images}

    def objectives(self) -> Mapping[str, Objective]:
        return {HEAD: self.objective}

    def targets(self, examples: Sequence[Example]) -> Mapping[str, Column]:
        """ "answer": (B,) int64 numbers of labels, or (B, A) of 0 and 1 for several. Raises DataError."""
        values = [example.values.get("answer") for example in examples]
        if self.kind == "several":
            return {HEAD: ignoring(checked(build_targets("several", values, self.vocabulary)), values)}
        return {HEAD: checked(build_targets("one", values, self.vocabulary))}

    def labelled(self, example: Example) -> bool:
        """A list of no labels is an answer where there may be several."""
        return super().labelled(example) and (self.kind == "several" or any(self._labels_of(example)))

    def decode(self, output: Output, ids: Sequence[str], *, top_k: int = 5) -> list[Prediction]:
        """For several labels the probability is that of the least certain decision, yes or no, among all labels."""
        scores = scores_of(output, HEAD, ids, self._size)
        if self.kind == "one":
            return ranked(scores.softmax(1), self.labels, ids, top_k)
        if self.kind == "binary":
            return [self._decided(p) for p in ranked(two_answers(scores).softmax(1), self.labels, ids, 2)]
        probabilities = scores.sigmoid()
        certain = probabilities.maximum(1 - probabilities).amin(1).tolist()
        best = ranked(probabilities, self.labels, ids, len(self.labels))
        return [
            Prediction(p.id, [a for a, q in p.alternatives if q >= self.threshold], least, p.alternatives[:top_k])
            for p, least in zip(best, certain, strict=True)
        ]

    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        """`accuracy`, averaged and by-label precision, recall and F1; of two labels `auc`, `best_f1`, `auprc`.

        Labels that training did not have count as wrong answers. Intervals resample images.
        """
        said, images = paired(predictions, examples), images_of(examples)
        gold(examples, self.labelled)
        true = [self._labels_of(example) for example in examples]
        unseen = sorted({label for labels in true for label in labels} - set(self.labels))
        labels = [*self.labels, *unseen]
        few = len(labels) <= SHOWN_LABELS
        if self.kind == "several":
            gold_rows, said_rows = _rows(true, labels), _rows([p.answer for p in said], labels)
            return classification.evaluate_several(gold_rows, said_rows, labels, groups=images, by_label=few)
        only = [row[0] for row in true]
        answers = [str(p.answer) for p in said]
        measures = classification.evaluate(only, answers, labels, groups=images, by_label=few)
        if (positive := self._positive) is not None:
            scores = [dict(p.alternatives).get(positive, float(p.answer == positive)) for p in said]
            is_positive = [label == positive for label in only]
            measures["auc"] = classification.auc(is_positive, scores, groups=images)
            measures |= precision_recall.evaluate(is_positive, scores, groups=images)
        return measures

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """CSV: id, answer (several labels joined by "|"), probability."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "answer", "probability"])
            for p in predictions:
                answer = "|".join(p.answer) if isinstance(p.answer, list) else p.answer
                writer.writerow([p.id, answer, f"{p.probability:.6f}"])

    def score_of(self, output: Output, answers: Sequence[int]) -> Tensor:
        one = self.kind == "binary"
        return score_of_yes(output.scores[HEAD], answers) if one else super().score_of(output, answers)

    def save(self, folder: Path) -> None:
        save_state(folder, self.name, self.options, answers=self.labels)

    @classmethod
    def load(cls, folder: Path) -> Self:
        state = load_state(folder, cls.name, "answers")
        task = cls(**state["options"])
        task._vocabulary = AnswerVocabulary(state["answers"])
        return task

    @property
    def _positive(self) -> str | None:
        """The label whose score has a curve: the second of a binary task, or of two listed labels."""
        two = self.kind == "binary" or (self.kind == "one" and len(self.options["labels"]) == 2)
        return self.labels[1] if two else None

    @property
    def _size(self) -> int:
        return 1 if self.kind == "binary" else len(self.vocabulary)

    def _labels_of(self, example: Example) -> list[str]:
        labels = labels_of(example.values.get("answer"))
        if self.kind != "several" and len(labels) > 1:
            raise DataError(f"row {example.id} has {len(labels)} labels; use kind = 'several' for such rows")
        return labels

    def _decided(self, prediction: Prediction) -> Prediction:
        """The binary answer by the threshold."""
        probability = dict(prediction.alternatives)
        positive = probability[self.labels[1]] >= self.threshold
        answer = self.labels[1] if positive else self.labels[0]
        return Prediction(prediction.id, answer, probability[answer], prediction.alternatives)


Task = Classify


def _rows(given: Sequence[Sequence[str]], labels: Sequence[str]) -> NDArray[np.bool_]:
    """(n, C) which labels each row has."""
    return np.array([[label in row for label in labels] for row in map(set, given)], dtype=bool)
