"""ROUGE-L (Lin 2004) as the COCO caption evaluation computes it, for any number of sentence pairs at once.

    F = (1 + b^2) P R / (R + b^2 P),  b = 1.2

P and R: the longest common subsequence over the tokens of the hypothesis and of the reference. With several references
the best P and the best R count, though they may come from different ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chiasm.metrics.captions.ngrams import Ids
from chiasm.metrics.captions.references import References, indexed
from chiasm.metrics.estimate import Array, Estimate, mean

BETA = 1.2
CHUNK = 8192  # pairs at once: what one step of the recurrence touches stays in the cache


def common_lengths(first: Sequence[str], second: Sequence[str]) -> Ids:
    """(P,) the length of the longest common subsequence of each pair of sentences, tokens separated by spaces."""
    numbers: dict[str, int] = {}
    a, b = ([[numbers.setdefault(t, len(numbers)) for t in text.split()] for text in side] for side in (first, second))
    longest = np.fromiter((max(len(x), len(y)) for x, y in zip(a, b, strict=True)), np.int64, len(a))
    order = np.argsort(longest, kind="stable")  # so that a chunk's padding is short
    found = np.zeros(len(a), np.int64)
    for start in range(0, len(a), CHUNK):
        places = order[start : start + CHUNK]
        found[places] = _common(_padded([a[i] for i in places], -1), _padded([b[i] for i in places], -2))
    return found


def of_lengths(common: Ids, hypothesis: Ids, reference: Ids) -> tuple[Array, Array]:
    """Precision and recall from lengths in tokens, 0 for an empty sentence."""
    return common / np.maximum(1, hypothesis), common / np.maximum(1, reference)


def f_score(precision: Array, recall: Array) -> Array:
    """F with beta 1.2, element by element; 0 where either is 0."""
    weight = BETA**2
    below = recall + weight * precision
    return np.where(below > 0, (1 + weight) * precision * recall / np.where(below > 0, below, 1), 0.0)


def scores(hypotheses: Sequence[str], references: Sequence[Sequence[str]] | References) -> Array:
    """(I,) ROUGE-L of each hypothesis, in [0, 1]. Raises ValueError for another number of hypotheses."""
    known = indexed(references)
    known.check(hypotheses)
    against = [hypotheses[image] for image in known.image]
    lengths = np.fromiter((len(text.split()) for text in hypotheses), np.int64, len(hypotheses))
    common = common_lengths(against, known.sentences)
    precision, recall = of_lengths(common, lengths[known.image], known.index.lengths)
    best = [np.maximum.reduceat(values, known.starts) for values in (precision, recall)]
    return f_score(*best)


def score(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]] | References,
    *,
    groups: Sequence[object] | None = None,
) -> dict[str, Estimate]:
    """`rouge_l`: the mean over images, with an interval that resamples images (or `groups` of them)."""
    return {"rouge_l": mean(scores(hypotheses, references), groups)}


def _padded(rows: Sequence[Sequence[int]], fill: int) -> NDArray[np.int32]:
    """(P, longest), filled up with a number that is no word's."""
    table = np.full((len(rows), max(map(len, rows), default=0)), fill, np.int32)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table


def _common(a: NDArray[np.int32], b: NDArray[np.int32]) -> Ids:
    """(P, La), (P, Lb) -> (P,): the recurrence L[i, j] = max(L[i-1, j], max_(k <= j, b_k = a_i) L[i-1, k-1] + 1), a row
    of all pairs at a time."""
    row = np.zeros((len(a), b.shape[1] + 1), np.int16)
    for i in range(a.shape[1]):
        match = a[:, i : i + 1] == b
        row[:, 1:] = np.maximum.accumulate(np.maximum(row[:, 1:], row[:, :-1] + match), axis=1)
    return row[:, -1].astype(np.int64)
