"""What tasks with an answer vocabulary share: VQA, GQA and the classification of rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from chiasm.batch import Output
from chiasm.data.answers import Targets, build_targets
from chiasm.data.columns import Column
from chiasm.data.example import DataError, Example
from chiasm.data.vocabulary import IGNORE, AnswerVocabulary, is_missing
from chiasm.objectives import Objective
from chiasm.objectives.answers import answer_shares, one_answer, soft_answers
from chiasm.tasks import BaseTask, Prediction
from chiasm.tasks._decoding import ranked, scores_of
from chiasm.tasks._pairing import load_state, save_state

HEAD = "answer"
LOSSES: Mapping[str, Objective] = {"bce": soft_answers, "ce": one_answer, "soft_ce": answer_shares}


class AnswerTask(BaseTask):
    """One answer of a vocabulary per example, with a score for each answer of its own ("bce") or as a class ("ce").

    `options["loss"]`: "bce" trains each answer's sigmoid towards its score in [0, 1], "ce" the softmax towards the
    best answer, "soft_ce" the softmax towards each answer's share of the scores. A labelled example whose answers are
    all unknown has only zero scores with "bce", as in LXMERT, and is left out of the loss with the others; one without
    a label is left out with all.
    """

    headline = "accuracy"
    _vocabulary: AnswerVocabulary | None = None

    @property
    def vocabulary(self) -> AnswerVocabulary:
        """The answers, in the order of the model's scores. Raises RuntimeError before `fit`."""
        if self._vocabulary is None:
            raise RuntimeError(f"task {self.name!r} has no answers yet: call fit(training examples) or load(folder)")
        return self._vocabulary

    @abstractmethod
    def answers(self, examples: Sequence[Example]) -> list[Mapping[str, float] | None]:
        """Each example's answers with their scores in [0, 1], the commonest first; None when it has no label."""

    def fit(self, examples: Sequence[Example]) -> Self:
        """Take the vocabulary from `options["vocabulary"]`, a file, or from the training answers."""
        path, known = self.options["vocabulary"], [answer for answer in self.answers(examples) if answer]
        if path:
            self._vocabulary = AnswerVocabulary.load(Path(path))
        else:
            least, most = self.options["min_count"], self.options["max_size"]
            self._vocabulary = AnswerVocabulary.fit(known, min_count=least, max_size=most)
        return self

    def facts(self) -> Mapping[str, int]:
        return {"num_labels": len(self.vocabulary), "num_images": self.images}

    def objectives(self) -> Mapping[str, Objective]:
        return {HEAD: LOSSES[self.options["loss"]]}

    def targets(self, examples: Sequence[Example]) -> Mapping[str, Column]:
        """ "answer": (B, A) scores, (B,) int64 with "ce". Raises DataError when no answer is known."""
        values = self.answers(examples)
        if self.options["loss"] != "ce":
            return {HEAD: ignoring(checked(build_targets("soft", values, self.vocabulary)), values)}
        best = [None if value is None else self._known(value) for value in values]
        return {HEAD: checked(build_targets("one", best, self.vocabulary))}

    def _known(self, scores: Mapping[str, float]) -> Mapping[str, float]:
        """The answers that are in the vocabulary, so that the best of them is learnt; all when none is."""
        return {answer: score for answer, score in scores.items() if answer in self.vocabulary} or scores

    def decode(self, output: Output, ids: Sequence[str], *, top_k: int = 5) -> list[Prediction]:
        scores = scores_of(output, HEAD, ids, len(self.vocabulary))
        probabilities = scores.sigmoid() if self.options["loss"] == "bce" else scores.softmax(1)
        return ranked(probabilities, self.vocabulary.answers, ids, top_k)

    def save(self, folder: Path) -> None:
        save_state(folder, self.name, self.options, answers=self.vocabulary.answers)

    @classmethod
    def load(cls, folder: Path) -> Self:
        state = load_state(folder, cls.name, "answers")
        task = cls(**state["options"])
        task._vocabulary = AnswerVocabulary(state["answers"])
        return task


class IgnoringColumn(Column):
    """Another column of rows (A,), with `IGNORE` in the rows of examples that have no label."""

    def __init__(self, column: Column, labelled: Tensor) -> None:
        self.column, self.labelled = column, labelled

    def __len__(self) -> int:
        return len(self.column)

    def gather(self, examples: Tensor) -> Tensor:
        """(B,) -> (B, A)."""
        rows = self.column.gather(examples)
        assert isinstance(rows, Tensor)
        return torch.where(self.labelled[examples][:, None], rows, float(IGNORE))


def checked(targets: Targets) -> Column:
    """The column of targets. Raises DataError when there are answers, but not one is in the vocabulary."""
    if targets.counts.unknown and not targets.counts.known:
        raise DataError(f"no answer of these examples is known; are they of another data set? {targets.counts}")
    return targets.column


def ignoring(column: Column, values: Sequence[Any]) -> Column:
    """The column, with the rows of missing values ignored."""
    labelled = [not is_missing(value) for value in values]
    return column if all(labelled) else IgnoringColumn(column, torch.tensor(labelled))
