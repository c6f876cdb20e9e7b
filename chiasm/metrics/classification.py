"""Accuracy, precision, recall and F1 of class labels, and the area under the ROC curve; each with an interval.

A ratio without cases (a class never predicted, never true) counts as 0, as in scikit-learn, with an interval from 0
to 1; averages over classes take those that occur among the targets or the predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from chiasm.metrics.estimate import Array, Estimate, Mask, Resampling, share

Groups = Sequence[object]
AVERAGES = ("macro", "weighted", "micro")
KINDS: dict[str, Callable[[Array, Array, Array], Array]] = {  # of hits, cases predicted and cases true
    "precision": lambda hits, found, real: _ratio(hits, found),
    "recall": lambda hits, found, real: _ratio(hits, real),
    "f1": lambda hits, found, real: _ratio(2 * hits, found + real),
}


def confusion(
    targets: Sequence[Hashable], predictions: Sequence[Hashable], labels: Sequence[Hashable]
) -> NDArray[np.int64]:
    """(C, C) how many cases of each true label (row) got each predicted label (column). Raises ValueError."""
    true, predicted = _codes(targets, labels, "target"), _codes(predictions, labels, "prediction")
    _same_length(true, predicted)
    size = len(labels)
    return np.bincount(true * size + predicted, minlength=size * size).reshape(size, size)


def evaluate(
    targets: Sequence[Hashable],
    predictions: Sequence[Hashable],
    labels: Sequence[Hashable],
    *,
    groups: Groups | None = None,
    by_label: bool = True,
) -> dict[str, Estimate]:
    """One label per case: accuracy; macro, weighted and micro precision, recall and F1; each of them by label.

    `labels` are all that exist, in order; `groups` names the clusters that are resampled. Keys: `accuracy`,
    `macro_f1`, `weighted_precision`, and with `by_label` `f1/<label>`, ... Raises ValueError for a label that is not
    listed.
    """
    true, predicted = _codes(targets, labels, "target"), _codes(predictions, labels, "prediction")
    _same_length(true, predicted)
    size = len(labels)
    measures = _of_classes(_one_hot(true, size), _one_hot(predicted, size), labels, groups, by_label)
    everything = np.ones(len(true), dtype=bool)
    resampling = Resampling(len(true) if groups is None else groups)
    return resampling.shares((true == predicted).astype(float), {"accuracy": everything}) | measures


def evaluate_several(
    targets: ArrayLike,
    predictions: ArrayLike,
    labels: Sequence[Hashable],
    *,
    groups: Groups | None = None,
    by_label: bool = True,
) -> dict[str, Estimate]:
    """Any number of labels per case, (n, C) booleans: the measures of `evaluate`; `accuracy` means all labels right."""
    true, predicted = np.asarray(targets, dtype=bool), np.asarray(predictions, dtype=bool)
    if true.shape != predicted.shape or true.shape[1] != len(labels):
        raise ValueError(f"targets {true.shape}, predictions {predicted.shape}, {len(labels)} labels: shapes differ")
    everything = np.ones(len(true), dtype=bool)
    resampling = Resampling(len(true) if groups is None else groups)
    exact = resampling.shares((true == predicted).all(1).astype(float), {"accuracy": everything})
    return exact | _of_classes(_sparse(true), _sparse(predicted), labels, groups, by_label)


def auc(targets: ArrayLike, scores: ArrayLike, *, groups: Groups | None = None) -> Estimate:
    """The area under the ROC curve: how likely a positive case scores above a negative one, a tie counting half.

    `targets` (n) booleans, `scores` (n). Undefined, (nan, 0, 1), when all cases are of one class. Raises
    ValueError for a score that is NaN.
    """
    positive, values = np.asarray(targets, dtype=bool), np.asarray(scores, dtype=np.float64)
    _same_length(positive, values)
    if np.isnan(values).any():
        raise ValueError(f"score {int(np.argmax(np.isnan(values)))} is NaN")
    if positive.all() or not positive.any():
        return share(0, 0)
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(values[order]) > 0])  # of runs of equal scores
    resampling = Resampling(len(values) if groups is None else groups)
    ranked, unit = positive[order], resampling.unit[order]
    value = _area(np.ones((1, len(values))), ranked, starts)[0]
    drawn = np.concatenate([_area(w[:, unit], ranked, starts) for w in resampling.weights(len(values))])
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return Estimate(float(value), float(min(value, low)), float(max(value, high)), len(values))


def _area(weights: Array, positive: Mask, starts: NDArray[np.int64]) -> Array:
    """(draws, n) weights of the cases in rising order of score -> (draws,) areas; NaN when one class is missing."""
    positives = np.add.reduceat(weights * positive, starts, axis=1)
    negatives = np.add.reduceat(weights * ~positive, starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    pairs = positives.sum(1) * negatives.sum(1)
    won = (positives * (below + negatives / 2)).sum(1)
    return np.asarray(_ratio(won, pairs, empty=np.nan))


def _of_classes(
    true: sparse.csr_array,
    predicted: sparse.csr_array,
    labels: Sequence[Hashable],
    groups: Groups | None,
    by_label: bool,
) -> dict[str, Estimate]:
    """(n, C) both, 0 and 1 -> the measures averaged over labels and, if asked, by label."""
    size = len(labels)
    columns = sparse.csr_array(sparse.hstack([true.multiply(predicted), predicted, true]))
    resampling = Resampling(true.shape[0] if groups is None else groups)

    def statistic(sums: Array) -> Array:
        hits, found, real = np.split(sums, 3, axis=1)
        occurs = found + real > 0
        blocks = []
        for measure in KINDS.values():
            each = measure(hits, found, real)
            macro = _ratio((each * occurs).sum(1), occurs.sum(1))
            weighted = _ratio((each * real).sum(1), real.sum(1))
            micro = measure(hits.sum(1), found.sum(1), real.sum(1))
            blocks += [macro[:, None], weighted[:, None], micro[:, None], each[:, : size * by_label]]
        return np.concatenate(blocks, axis=1)

    support = [int(n) for n in np.asarray(true.sum(0)).reshape(-1)] if by_label else []
    shown = labels if by_label else []
    names = [f"{average}_{kind}" if average else f"{kind}/{label}" for kind in KINDS for average, label in _rows(shown)]
    counts = ([true.shape[0]] * len(AVERAGES) + support) * len(KINDS)
    behind = _clusters(resampling, true, predicted)
    of_labels = {kind: behind[kind] if by_label else [] for kind in KINDS}
    independent = [k for kind in KINDS for k in (*[resampling.num_clusters] * len(AVERAGES), *of_labels[kind])]
    return dict(zip(names, resampling.of_sums(columns, statistic, counts=counts, independent=independent), strict=True))


def _clusters(resampling: Resampling, true: sparse.csr_array, predicted: sparse.csr_array) -> dict[str, list[int]]:
    """(C) each: how many clusters have a case that a label's precision, recall or F1 counts."""
    counted = {"precision": predicted, "recall": true, "f1": true + predicted}
    tables = {kind: sparse.csr_array(resampling.of_clusters(cases)) for kind, cases in counted.items()}
    return {kind: [int(n) for n in table.astype(bool).sum(0)] for kind, table in tables.items()}


def _rows(labels: Sequence[Hashable]) -> list[tuple[str, Hashable]]:
    return [(average, None) for average in AVERAGES] + [("", label) for label in labels]


def _ratio(numerator: Array, denominator: Array, empty: float = 0.0) -> Array:
    return np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1), empty)


def _codes(values: Sequence[Hashable], labels: Sequence[Hashable], what: str) -> NDArray[np.int64]:
    index = {label: i for i, label in enumerate(labels)}
    if len(index) != len(labels):
        raise ValueError("the labels are not distinct")
    unknown = [i for i, value in enumerate(values) if value not in index]
    if unknown:
        raise ValueError(f"{what} {unknown[0]} is {values[unknown[0]]!r}, which is not one of the {len(labels)} labels")
    return np.array([index[value] for value in values], dtype=np.int64)


def _one_hot(codes: NDArray[np.int64], size: int) -> sparse.csr_array:
    """(n,) -> (n, size)."""
    return sparse.csr_array((np.ones(len(codes)), (np.arange(len(codes)), codes)), shape=(len(codes), size))


def _sparse(labels: Mask) -> sparse.csr_array:
    return sparse.csr_array(labels.astype(np.float64))


def _same_length(targets: NDArray[Any], predictions: NDArray[Any]) -> None:
    if len(targets) != len(predictions):
        raise ValueError(f"{len(predictions)} predictions for {len(targets)} targets")
