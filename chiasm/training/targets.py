"""What a recipe learns: the answers of each split, how often each is given, and its place among the model's scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chiasm.data.answers import preview
from chiasm.data.example import Example
from chiasm.data.vocabulary import AnswerVocabulary, gold_answers, labels_of
from chiasm.tasks import BaseTask
from chiasm.tasks import task as task_file
from chiasm.tasks._answers import AnswerTask
from chiasm.training.data import BadRowPolicy, OnError, read_splits
from chiasm.training.recipe import Recipe


@dataclass(frozen=True)
class SplitTargets:
    """The answers of one split."""

    split: str
    rows: int
    learnt: int  # rows with an answer that the model can give
    table: list[dict[str, Any]]  # of the commonest: answer, count, share of rows, target
    numbered: bool  # whether answers have a place among the scores: `target` is that place, None for what is not learnt


def preview_targets(
    recipe: Recipe, data: Path | None = None, *, rows: int = 10, on_error: OnError = "stop", show: bool = True
) -> list[SplitTargets]:
    """The targets of each split, by the vocabulary of the training rows. Nothing is encoded and nothing trained.

    Raises `DataError`, `RecipeError`.
    """
    splits = read_splits(recipe, data, BadRowPolicy(on_error), show=show)
    task: BaseTask = task_file(recipe.task).Task(**recipe.task_options)
    task.fit(splits["train"])
    return [_of_split(name, examples, task, rows) for name, examples in splits.items()]


def _of_split(name: str, examples: Sequence[Example], task: BaseTask, rows: int) -> SplitTargets:
    vocabulary = getattr(task, "vocabulary", None)
    known = vocabulary if isinstance(vocabulary, AnswerVocabulary) else None
    # Annotators' answers are one answer, the commonest; what is a list elsewhere is several labels or sentences.
    if isinstance(task, AnswerTask):
        values, answers = task.answers(examples), gold_answers
    else:
        values, answers = [example.values.get("answer") for example in examples], labels_of
    given = [answers(value) for value in values]
    learnt = sum(any(known is None or answer in known for answer in found) for found in given)
    table = preview(values, known, rows=rows, answers=answers)
    return SplitTargets(name, len(examples), learnt, table, known is not None)
