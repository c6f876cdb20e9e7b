"""VQA accuracy, by the official evaluation of VQA v2 (Antol et al. 2015; Goyal et al. 2017).

With ten annotators an answer scores the average, over the ten sets that leave one annotator out, of

    min(1, number of the other nine who gave it / 3)

so 0, 0.3, 0.6, 0.9, 1 for 0, 1, 2, 3, 4 or more annotators. With fewer than four annotators, which the official script
never sees, an answer scores the share who gave it, as in the targets. Answers are normalised (punctuation, number
words, articles, contractions) only where the annotators do not all agree; letter case never counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chiasm.metrics.estimate import Array, Estimate, Mask, Resampling, members

Codes = NDArray[np.int64]
FEW = 4  # with fewer annotators not even an answer that all of them gave would be worth 1


def soft_score(matches: ArrayLike, annotators: ArrayLike = 10) -> Array:
    """The accuracy of answers that `matches` of the `annotators` gave, in [0, 1]: the leave-one-out average.

    That asks for three others who agree. Of fewer than four annotators it is the share who gave the answer, as
    `chiasm.data.answers.soft_scores` has it, so that what is learnt is what is measured.
    """
    c, n = np.asarray(matches, dtype=np.float64), np.asarray(annotators, dtype=np.float64)
    with_own_left_out = c * np.minimum(1, np.maximum(c - 1, 0) / 3)
    with_another_left_out = (n - c) * np.minimum(1, c / 3)
    return np.asarray(np.where(n < FEW, c, with_own_left_out + with_another_left_out) / n)


def clean(answer: str) -> str:
    """Line breaks and tabs become spaces, the ends are stripped: done to every answer, whoever agrees."""
    return answer.replace("\n", " ").replace("\t", " ").strip()


class References:
    """The annotators' answers of Q questions, normalised once; scores any number of predictions against them.

    `answers`: the annotators' answers of each question, usually ten. `normalise`: what the official script does
    where annotators disagree (`chiasm.data.answers.normalise_answer`); None takes the answers as they are.
    Raises ValueError for a question without answers, naming its position.
    """

    def __init__(self, answers: Sequence[Sequence[str]], *, normalise: Callable[[str], str] | None = None) -> None:
        self.normalise = normalise or str
        self.counts = np.fromiter(map(len, answers), np.int64, len(answers))
        if not self.counts.all():
            raise ValueError(f"question {int(np.argmin(self.counts))} has no annotator's answer")
        self._texts: dict[str, int] = {}  # what answers are compared by -> code
        self._rows: dict[str, int] = {}  # an answer -> its row of the table
        self._table: list[tuple[int, int, int]] = []  # codes of the answer as it is, in lower case, normalised
        exact, plain, normal = self._codes([answer for ten in answers for answer in ten])
        starts = np.cumsum(self.counts) - self.counts
        self.agreed: Mask = np.minimum.reduceat(exact, starts) == np.maximum.reduceat(exact, starts)
        question = np.repeat(np.arange(len(answers)), self.counts)
        self.given: Codes = np.full((len(answers), int(self.counts.max(initial=0))), -1)  # (Q, annotators)
        place = np.arange(len(question)) - starts[question]
        self.given[question, place] = np.where(self.agreed[question], plain, normal)

    def scores(self, predictions: Sequence[str]) -> Array:
        """(Q,) the accuracy of each predicted answer, in [0, 1]. Raises ValueError for another number of them."""
        if len(predictions) != len(self.counts):
            raise ValueError(f"{len(predictions)} predictions for {len(self.counts)} questions")
        _, plain, normal = self._codes(predictions)
        predicted: Codes = np.where(self.agreed, plain, normal)
        return soft_score((self.given == predicted[:, None]).sum(1), self.counts)

    def _codes(self, answers: Sequence[str]) -> Codes:
        """(3, n) codes, equal where answers count as equal: exactly, but for letter case, and normalised."""
        for answer in set(answers) - self._rows.keys():
            if not isinstance(answer, str):
                raise ValueError(f"answer {list(answers).index(answer)} is {answer!r}; expected a string")
            text = clean(answer)
            exact, plain, normal = (
                self._texts.setdefault(t, len(self._texts)) for t in (text, text.lower(), self.normalise(text).lower())
            )
            self._rows[answer] = len(self._table)
            self._table.append((exact, plain, normal))
        rows = np.fromiter(map(self._rows.__getitem__, answers), np.int64, len(answers))
        return np.array(self._table, dtype=np.int64).reshape(-1, 3)[rows].T


def evaluate(
    scores: Array,
    *,
    answer_types: Sequence[str | None] | None = None,
    question_types: Sequence[str | None] | None = None,
    images: Sequence[object] | None = None,
) -> dict[str, Estimate]:
    """`accuracy`, `accuracy/answer/<type>` and `accuracy/question/<type>` of the scores (Q) of `References`.

    Intervals resample `images`, the image of each question.
    """
    parts: dict[str, Mask] = {"accuracy": np.ones(len(scores), dtype=bool)}
    for facet, types in [("answer", answer_types), ("question", question_types)]:
        if types is not None:
            parts.update(members(f"accuracy/{facet}", types))
    return Resampling(len(scores) if images is None else images).shares(scores, parts)
