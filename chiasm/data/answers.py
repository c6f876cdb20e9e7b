"""From answers to targets: the answer vocabulary, and one builder for every kind of target.

    kind      an answer is                                         the target of an example
    soft      ten annotators' answers, one, or {answer: score}     (A,) scores in [0, 1]
    one       one answer                                           its number, or IGNORE
    binary    True / False, "yes" / "no", 1 / 0                    1 or 0, or IGNORE
    several   a list of labels                                     (A,) 0 or 1
    number    a number                                             the number, or NaN

An answer may be missing (None, NaN), empty, or unknown (not in the vocabulary). None of these is an error by itself;
all are counted, and the counts travel with the targets.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chiasm.data.columns import Column, TensorColumn
from chiasm.data.example import DataError
from chiasm.data.normalise import normalise_answer
from chiasm.data.vocabulary import IGNORE, AnswerVocabulary, gold_answers, is_missing, labels_of, text_of
from chiasm.registry import nearest

__all__ = ["IGNORE", "AnswerVocabulary", "Targets", "build_targets", "normalise_answer", "preview", "soft_scores"]

TRUE, FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


@dataclass(frozen=True)
class Counts:
    """How the answers of all rows were understood."""

    rows: int
    known: int
    missing: int = 0  # None or NaN
    empty: int = 0  # a text without a character
    unknown: int = 0  # not in the vocabulary
    unknown_answers: tuple[tuple[str, int], ...] = ()  # the commonest ones, with how often

    def __str__(self) -> str:
        parts = {"without an answer": self.missing, "empty": self.empty, "not in the vocabulary": self.unknown}
        told = "".join(f", {count} {what}" for what, count in parts.items() if count)
        common = ", ".join(f"{answer!r} ({count})" for answer, count in self.unknown_answers[:5])
        return f"{self.known} of {self.rows} rows have a known answer{told}{': ' + common if common else ''}"


@dataclass(frozen=True)
class Targets:
    """The targets of all rows, and the counts of what could not be used."""

    column: Column
    counts: Counts


class SparseColumn(Column):
    """(examples, A) scores of which few differ from 0: kept as labels and scores, made dense in a batch."""

    def __init__(self, labels: Tensor, scores: Tensor, offsets: Tensor, *, size: int) -> None:
        self.labels, self.scores, self.offsets = labels, scores, offsets
        self.size = size  # A

    def __len__(self) -> int:
        return self.offsets.shape[0] - 1

    def gather(self, examples: Tensor) -> Tensor:
        """(B,) -> (B, A) float32."""
        start = self.offsets[examples]
        count = self.offsets[examples + 1] - start
        rows = torch.repeat_interleave(torch.arange(len(examples)), count)
        first = torch.cat([count.new_zeros(1), count.cumsum(0)[:-1]]) if len(count) else count
        places = torch.arange(len(rows)) - first[rows] + start[rows]
        dense = torch.zeros(len(examples), self.size)
        dense[rows, self.labels[places]] = self.scores[places]
        return dense


def soft_scores(value: Any, *, normalise: Callable[[str], str] = normalise_answer) -> dict[str, float]:
    """Each answer's official VQA score: over the sets that leave one annotator out, the mean of min(1, matches / 3).

    With ten annotators that is 0.3, 0.6, 0.9, 1 for 1, 2, 3, 4 or more of them. Answers are normalised unless all
    agree. With fewer than four annotators the score is the share who gave the answer; a mapping {answer: score} and
    a single answer stand as they are.
    """
    if isinstance(value, Mapping):
        return {str(answer): float(score) for answer, score in value.items()}
    if not isinstance(value, (list, tuple)):
        return {} if is_missing(value) else {text_of(value): 1.0}
    given = [text_of(v) for v in value if not is_missing(v)]
    if len(set(given)) > 1:
        given = [normalise(answer) for answer in given]
    n = len(given)
    if n < 4:
        return {answer: c / n for answer, c in Counter(given).items()}
    return {answer: (c * min(1.0, (c - 1) / 3) + (n - c) * min(1.0, c / 3)) / n for answer, c in Counter(given).items()}


def build_targets(kind: str, values: Sequence[Any], vocabulary: AnswerVocabulary | None = None) -> Targets:
    """The targets of all rows, by kind (see the top of this file); "soft", "one" and "several" need a vocabulary.

    Raises `DataError` for an unknown kind and for values that the kind cannot mean, naming the row by its position.
    """
    if kind not in _BUILDERS:
        raise DataError(nearest(kind, _BUILDERS, what="kind of target"))
    return _BUILDERS[kind](values, vocabulary)


def _sparse(values: Sequence[Any], size: int, scores_of: Callable[[Any], Mapping[str, float]], numbers: Any) -> Targets:
    """Sparse scores of all rows, and the counts."""
    tally = _Tally()
    labels, scores, offsets = [], [], [0]
    for value in values:
        given = scores_of(value)
        known = [(numbers(answer), score) for answer, score in given.items() if numbers(answer) != IGNORE and score > 0]
        tally.add(value, given, bool(known))
        labels += [number for number, _ in known]
        scores += [score for _, score in known]
        offsets.append(len(labels))
    column = SparseColumn(
        torch.tensor(labels, dtype=torch.int64), torch.tensor(scores), torch.tensor(offsets), size=size
    )
    return Targets(column, tally.counts())


def _soft(values: Sequence[Any], vocabulary: AnswerVocabulary | None) -> Targets:
    known = _needed(vocabulary, "soft")
    return _sparse(values, len(known), soft_scores, known.number)


def _several(values: Sequence[Any], vocabulary: AnswerVocabulary | None) -> Targets:
    known = _needed(vocabulary, "several")
    return _sparse(values, len(known), lambda value: dict.fromkeys(labels_of(value), 1.0), known.number)


def _one(values: Sequence[Any], vocabulary: AnswerVocabulary | None) -> Targets:
    known = _needed(vocabulary, "one")
    return _numbered(values, known.number)


def _binary(values: Sequence[Any], vocabulary: AnswerVocabulary | None) -> Targets:
    def number(answer: str) -> int:
        word = answer.lower()
        return 1 if word in TRUE else 0 if word in FALSE else IGNORE

    return _numbered(values, number)


def _numbered(values: Sequence[Any], number: Callable[[str], int]) -> Targets:
    """One number a row: of its gold answer, or IGNORE."""
    tally = _Tally()
    targets = []
    for value in values:
        given = gold_answers(value)
        target = number(given[0]) if given else IGNORE
        tally.add(value, given, target != IGNORE)
        targets.append(target)
    return Targets(TensorColumn(torch.tensor(targets, dtype=torch.int64)), tally.counts())


def _number(values: Sequence[Any], vocabulary: AnswerVocabulary | None) -> Targets:
    tally = _Tally()
    targets = []
    for place, value in enumerate(values):
        absent = is_missing(value) or value == ""
        try:
            targets.append(math.nan if absent else float(value))
        except (TypeError, ValueError, OverflowError):
            raise DataError(f"the answer {value!r} of row {place} is no number") from None
        tally.add(value, [] if absent else [text_of(value)], not absent)
    return Targets(TensorColumn(torch.tensor(targets, dtype=torch.float32)), tally.counts())


_BUILDERS: Mapping[str, Callable[[Sequence[Any], AnswerVocabulary | None], Targets]] = {
    "soft": _soft,
    "one": _one,
    "binary": _binary,
    "several": _several,
    "number": _number,
}


def _needed(vocabulary: AnswerVocabulary | None, kind: str) -> AnswerVocabulary:
    if vocabulary is None:
        raise ValueError(f"targets of kind {kind!r} need an answer vocabulary")
    return vocabulary


class _Tally:
    """Counts rows as they are understood."""

    def __init__(self) -> None:
        self.rows = self.known = self.missing = self.empty = self.unknown = 0
        self.unknown_answers: Counter[str] = Counter()

    def add(self, value: Any, given: Iterable[str], known: bool) -> None:
        answers = list(given)
        self.rows += 1
        if known:
            self.known += 1
        elif not answers and value != "":
            self.missing += 1
        elif not any(answers):
            self.empty += 1
        else:
            self.unknown += 1
            self.unknown_answers.update(a for a in answers if a)

    def counts(self) -> Counts:
        common = tuple(sorted(self.unknown_answers.items(), key=lambda item: (-item[1], item[0]))[:20])
        return Counts(self.rows, self.known, self.missing, self.empty, self.unknown, common)


def preview(
    values: Sequence[Any],
    vocabulary: AnswerVocabulary | None = None,
    *,
    rows: int = 10,
    answers: Callable[[Any], Iterable[str]] = gold_answers,
) -> list[dict[str, Any]]:
    """A table of the commonest answers: {"answer", "count", "share", "target"}, then the rest in one line.

    `answers` is what a value counts for; with several a value the shares sum to more than 1.
    """
    counts = Counter(answer for value in values for answer in (list(answers(value)) or ["(none)"]))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    table: list[dict[str, Any]] = [
        {
            "answer": answer or "(empty)",
            "count": count,
            "share": count / max(len(values), 1),
            "target": None if vocabulary is None or answer not in vocabulary else vocabulary.number(answer),
        }
        for answer, count in ordered
    ]
    if len(table) > rows:
        count = counts.total() - sum(n for _, n in ordered[:rows])
        named = f"({len(table) - rows} further answers)"
        table[rows:] = [{"answer": named, "count": count, "share": count / max(len(values), 1), "target": None}]
    return table
