"""How varied generated captions are: vocabulary usage, distinct n-grams, rare words, and likeness to each other.

Sentences are tokens separated by spaces, special tokens left out. Counts of different things grow with the number of
sentences and shrink when sentences are drawn twice, so their intervals are bootstrap intervals without that bias.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse

from chiasm.metrics.captions import bleu
from chiasm.metrics.captions.ngrams import MAX_ORDER, Counts, Ids, Index
from chiasm.metrics.captions.references import References
from chiasm.metrics.estimate import QUANTILES, Array, Estimate, Resampling, mean, share

UNKNOWN = "[UNK]"  # what a model writes for the word that its vocabulary lacks
RARE = 100  # occurrences in the training captions up to which a word counts as rare, unless told otherwise


def vocabulary_usage(sentences: Sequence[str]) -> Estimate:
    """VU: the number of different words in all sentences (sheet `fixed_targets`, section 5), the unknown word none."""
    table = Index(known_words(sentences), order=1).counts[0]
    return replace(_different(table, lambda kinds, total: kinds), share=False)


def known_words(sentences: Sequence[str]) -> list[str]:
    """The sentences without the unknown word. Before PTB tokenisation, which would cut "[UNK]" into three."""
    return [" ".join(word for word in text.split() if word != UNKNOWN) for text in sentences]


def distinct(sentences: Sequence[str], *, order: int = MAX_ORDER) -> dict[str, Estimate]:
    """`distinct1`, ...: different n-grams over all n-grams (Li et al. 2016), for n up to `order`."""
    tables = Index(sentences, order=order).counts
    return {f"distinct{n}": _different(table, _ratio) for n, table in enumerate(tables, start=1)}


def rare_words(sentences: Sequence[str], occurrences: Mapping[str, int], *, at_most: int = RARE) -> dict[str, Estimate]:
    """Words that training captions have at most so often: `rare_share` of all words, `rare_used` different ones.

    A word that training never had counts as rare. Intervals resample sentences.
    """
    index = Index(
        [" ".join(t for t in text.split() if occurrences.get(t, 0) <= at_most) for text in sentences], order=1
    )
    rare = index.counts[0]
    of_each = np.fromiter((len(text.split()) for text in sentences), np.float64, len(sentences))
    table = np.stack([index.lengths.astype(np.float64), of_each], axis=1)
    shares = share(0, 0)
    if of_each.any():
        resampling = Resampling(len(sentences))
        shares = resampling.of_sums(table, lambda sums: sums[:, :1] / np.maximum(1, sums[:, 1:]))[0]
    return {"rare_share": shares, "rare_used": replace(_different(rare, lambda kinds, total: kinds), share=False)}


def self_bleu(groups: Sequence[Sequence[str]]) -> dict[str, Estimate]:
    """`self_bleu1` to `self_bleu4` (Zhu et al. 2018): each sentence's BLEU against the others of its group, averaged.

    A group is the captions of one image, or all captions as one group. Low is varied. Intervals resample groups, or
    sentences where there is one group. Raises ValueError for a group of one.
    """
    known = References(groups)
    alone = np.flatnonzero(known.per_image < 2)
    if len(alone):
        raise ValueError(f"group {alone[0]} has one sentence; likeness needs two")
    values = bleu.of_statistics(_against_others(known))
    unit = known.image if known.num_images > 1 else np.arange(len(values))
    return {f"self_bleu{n + 1}": mean(values[:, n], list(unit)) for n in range(MAX_ORDER)}


def _against_others(known: References) -> Array:
    """(S, 10) BLEU's statistics of each sentence against the other sentences of its group."""
    lengths = known.index.lengths
    table = np.zeros((len(lengths), 2 * MAX_ORDER + 2))
    for n, counts in enumerate(known.index.counts):
        allowed = np.minimum(counts.counts, _largest_elsewhere(counts, known.image))
        table[:, n] = np.bincount(counts.rows, allowed, len(lengths))
        table[:, MAX_ORDER + n] = np.maximum(0, lengths - n)
    table[:, -2] = lengths
    for start, size in zip(known.starts, known.per_image, strict=True):
        own = lengths[start : start + size]
        table[start : start + size, -1] = _closest_elsewhere(own)
    return table


def _largest_elsewhere(counts: Counts, group: Ids) -> Ids:
    """(E,) for each entry the largest count of its n-gram in the other sentences of its group, 0 for none."""
    keys = group[counts.rows] * counts.num_grams + counts.grams
    order = np.lexsort((-counts.counts, keys))
    starts = np.flatnonzero(np.r_[True, np.diff(keys[order]) > 0]) if len(order) else order
    sizes = np.diff(np.r_[starts, len(order)])
    ranked = counts.counts[order]
    second = np.where(sizes > 1, ranked[np.minimum(starts + 1, len(order) - 1)], 0) if len(order) else sizes
    largest = np.repeat(ranked[starts], sizes)
    largest[starts] = second  # the one with the largest count looks at the next
    found = np.zeros_like(counts.counts)
    found[order] = largest
    return found


def _closest_elsewhere(lengths: Ids) -> Ids:
    """(K,) for each sentence the length of another that is closest to its own, the shorter of two as close."""
    values, index, counts = np.unique(lengths, return_inverse=True, return_counts=True)
    far = np.iinfo(np.int64).max // 4
    below, above = np.r_[-far, values[:-1]], np.r_[values[1:], far]
    other = np.where(values - below <= above - values, below, above)
    return np.where(counts > 1, values, other)[index]


def _ratio(kinds: Array, total: Array) -> Array:
    return np.where(total > 0, kinds / np.maximum(1, total), 0.0)


def _different(table: Counts, measure: Callable[[Array, Array], Array]) -> Estimate:
    """`measure` of the number of different n-grams and of all n-grams, with an interval over resampled sentences."""
    if not table.num_rows:
        return share(0, 0)
    occurs = sparse.csr_array(
        (np.ones(len(table.rows)), (table.rows, table.grams)), shape=(table.num_rows, max(1, table.num_grams))
    )
    totals = np.bincount(table.rows, table.counts, table.num_rows)
    value = float(measure(np.array(float(len(np.unique(table.grams)))), np.array(totals.sum())))
    drawn = []
    across = occurs.T.tocsr()
    for weights in Resampling(table.num_rows).weights(occurs.shape[1]):
        kinds = np.count_nonzero(np.asarray(across @ weights.T), axis=0).astype(np.float64)
        drawn.append(measure(kinds, weights @ totals))
    draws = np.concatenate(drawn)
    low, high = np.quantile(draws - draws.mean() + value, QUANTILES)
    return Estimate(value, float(min(value, low)), float(max(value, high)), table.num_rows)
