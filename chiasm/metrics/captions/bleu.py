"""BLEU-1 to BLEU-4 (Papineni et al. 2002) as the COCO caption evaluation computes them.

    BLEU-n = min(1, exp(1 - r / c)) * (p_1 * ... * p_n)^(1/n)

p_k: the share of the hypotheses' k-grams found in a reference, each counted at most as often as the reference with
most of them has it; c the hypotheses' tokens, r those of the references closest in length (the shorter of two as
close). All are summed over the corpus. No smoothing but the official 1e-15 / 1e-9, so one sentence without a common
n-gram scores practically 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chiasm.metrics.captions.ngrams import MAX_ORDER
from chiasm.metrics.captions.references import References, indexed
from chiasm.metrics.estimate import Array, Estimate, Resampling

TINY, SMALL = 1e-15, 1e-9  # added to what is divided, and to what divides


def statistics(hypotheses: Sequence[str], references: Sequence[Sequence[str]] | References) -> Array:
    """(I, 10) per image: common 1..4-grams, the hypothesis's 1..4-grams, its length, the closest reference's length.

    Hypotheses and references are tokens separated by spaces. Raises ValueError for another number of hypotheses.
    """
    known = indexed(references)
    known.check(hypotheses)
    found, lengths = known.index.look_up(hypotheses)
    table = np.zeros((known.num_images, 2 * MAX_ORDER + 2))
    for n, (counts, largest) in enumerate(zip(found, known.largest_counts, strict=True)):
        entries, there = largest.find(counts, counts.rows)
        common = np.minimum(counts.counts[there], largest.counts[entries[there]])
        table[:, n] = np.bincount(counts.rows[there], common, known.num_images)
        table[:, MAX_ORDER + n] = np.maximum(0, lengths - n)
    table[:, -2] = lengths
    away = np.abs(known.index.lengths - lengths[known.image])
    nearest = np.minimum.reduceat(away, known.starts)
    at_nearest = np.where(away == nearest[known.image], known.index.lengths, np.iinfo(np.int64).max)
    table[:, -1] = np.minimum.reduceat(at_nearest, known.starts)
    return table


def of_statistics(sums: Array) -> Array:
    """(..., 10) sums of `statistics` -> (..., 4): BLEU-1 to BLEU-4 in [0, 1]."""
    shares = (sums[..., :MAX_ORDER] + TINY) / (sums[..., MAX_ORDER : 2 * MAX_ORDER] + SMALL)
    roots = np.exp(np.cumsum(np.log(shares), axis=-1) / np.arange(1, MAX_ORDER + 1))
    ratio = (sums[..., -2:-1] + TINY) / (sums[..., -1:] + SMALL)
    return np.asarray(roots * np.exp(np.minimum(0.0, 1 - 1 / ratio)))


def scores(hypotheses: Sequence[str], references: Sequence[Sequence[str]] | References) -> Array:
    """(I, 4) BLEU-1 to BLEU-4 of each hypothesis by itself."""
    return of_statistics(statistics(hypotheses, references))


def score(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]] | References,
    *,
    groups: Sequence[object] | None = None,
) -> dict[str, Estimate]:
    """`bleu1` to `bleu4` of the corpus, with intervals that resample images (or `groups` of them)."""
    table = statistics(hypotheses, references)
    estimates = Resampling(len(table) if groups is None else groups).of_sums(table, of_statistics)
    return {f"bleu{n}": estimate for n, estimate in enumerate(estimates, start=1)}
