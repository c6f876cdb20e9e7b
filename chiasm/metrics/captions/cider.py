"""CIDEr and CIDEr-D (Vedantam, Zitnick and Parikh, CVPR 2015), vectorised; equal to the COCO caption evaluation's.

For n = 1..4 a sentence is a vector over n-grams: count * (log N - log(document frequency)), a document being all
references of one image, N their number. Hypothesis h and reference r compare by

    CIDEr    h . r / (|h| |r|)
    CIDEr-D  min(h, r) . r / (|h| |r|) * exp(-(l_h - l_r)^2 / (2 * 6^2))

averaged over n and over the references, times 10. Papers print that times 100 ("113.7" for 1.137). What the COCO
evaluation calls CIDEr is CIDEr-D.

Differs: the paper's lengths l are tokens; the official code counts bigrams, which we follow. Their differences are the
same unless a sentence is empty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from chiasm.metrics.captions.ngrams import BITS, MAX_ORDER, Counts, Ids, Index
from chiasm.metrics.captions.references import References, indexed
from chiasm.metrics.estimate import Array, Estimate, mean

SIGMA = 6.0
SCALE = 10.0
BIGRAMS = 1  # where they stand among n = 1, 2, ...


@dataclass(frozen=True)
class Vectors:
    """S weighted sentences: for n = 1, 2, ... a matrix (S, n-grams of the index) and its norms (S,); bigrams (S,)."""

    weights: list[sparse.csr_array]
    norms: list[Array]
    bigrams: Array


class Scorer:
    """References with their weights; scores any number of hypotheses against them.

    `documents`: the references whose images are counted as documents, `references` themselves when not given, as in
    the official evaluation. With one document every weight, and so every score, is 0.
    """

    def __init__(
        self,
        references: Sequence[Sequence[str]] | References,
        *,
        documents: Sequence[Sequence[str]] | References | None = None,
    ) -> None:
        self.references = indexed(references)
        if documents is None:
            self._index, counted = self.references.index, self.references
            tables, image = self._index.counts, counted.image
        else:
            counted = indexed(documents)
            # One index of both, in which the references are found again below.
            self._index = Index([*counted.sentences, *self.references.sentences])
            image = np.concatenate([counted.image, np.full(len(self.references.sentences), counted.num_images)])
            tables = self._index.counts
        self._log_documents = math.log(counted.num_images)
        self._idf = [self._log_documents - _log_frequencies(t, image, counted.num_images) for t in tables]
        own = tables if documents is None else self._index.look_up(self.references.sentences)[0]
        self.vectors = self._weigh(own)

    def weigh(self, sentences: Sequence[str]) -> Vectors:
        """Other sentences as vectors, to be compared with the references."""
        return self._weigh(self._index.look_up(sentences)[0])

    def scores(self, hypotheses: Sequence[str] | Vectors, *, clipped: bool = True) -> Array:
        """(I,) the score of each hypothesis; `clipped` is CIDEr-D. Raises ValueError for another number of them."""
        if not isinstance(hypotheses, Vectors):
            self.references.check(hypotheses)
            hypotheses = self.weigh(hypotheses)
        each = self.compare(hypotheses, self.references.image, clipped=clipped)
        return np.bincount(self.references.image, each) / self.references.per_image

    def compare(self, given: Vectors, first: Ids, second: Ids | None = None, *, clipped: bool = True) -> Array:
        """(P,) the score of sentence `first[p]` of `given` against reference `second[p]` alone; None: all, in order."""
        total, places = np.zeros(len(first)), slice(None) if second is None else second
        for n in range(MAX_ORDER):
            left, right = given.weights[n][first], self.vectors.weights[n]
            right = right if second is None else right[second]
            shared = left.minimum(right) if clipped else left
            products = np.asarray(shared.multiply(right).sum(axis=1)).reshape(-1)
            norms = given.norms[n][first] * self.vectors.norms[n][places]
            total += np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        if clipped:
            apart = given.bigrams[first] - self.vectors.bigrams[places]
            total *= np.exp(-(apart**2) / (2 * SIGMA**2))
        return SCALE * total / MAX_ORDER

    def _weigh(self, tables: Sequence[Counts]) -> Vectors:
        """N-grams that the index does not hold count for the norm, and can match nothing."""
        weights, norms = [], []
        for table, idf in zip(tables, self._idf, strict=True):
            unseen = np.full(max(0, table.num_grams - len(idf)), self._log_documents)
            values = table.counts * np.concatenate([idf, unseen])[table.grams]
            norms.append(np.sqrt(np.bincount(table.rows, values**2, table.num_rows)))
            known = table.grams < len(idf)
            ends = np.cumsum(np.bincount(table.rows[known], minlength=table.num_rows))
            shape = (table.num_rows, len(idf))
            arrays = (values[known], table.grams[known], np.concatenate([[0], ends]))
            weights.append(sparse.csr_array(arrays, shape=shape))
        pairs = tables[BIGRAMS]
        return Vectors(weights, norms, np.bincount(pairs.rows, pairs.counts, pairs.num_rows).astype(np.float64))


def scores(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]] | References,
    *,
    documents: Sequence[Sequence[str]] | References | None = None,
) -> Array:
    """(I,) CIDEr-D of each hypothesis, in [0, 10]; see `Scorer`."""
    return Scorer(references, documents=documents).scores(hypotheses)


def score(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]] | References,
    *,
    documents: Sequence[Sequence[str]] | References | None = None,
    groups: Sequence[object] | None = None,
) -> dict[str, Estimate]:
    """`cider_d` (what the COCO evaluation prints as CIDEr) and `cider` of the corpus, means over images.

    Hypotheses and references are tokens separated by spaces. Intervals resample images (or `groups` of them) and keep
    the document frequencies as they are.
    """
    scorer = Scorer(references, documents=documents)
    scorer.references.check(hypotheses)
    given = scorer.weigh(hypotheses)
    kinds = {"cider_d": True, "cider": False}
    return {name: mean(scorer.scores(given, clipped=clipped), groups) for name, clipped in kinds.items()}


def _log_frequencies(table: Counts, document: Ids, num_documents: int) -> Array:
    """(n-grams,) the logarithm of the number of documents that hold each, 0 for none; rows of other documents apart."""
    of_row = document[table.rows]
    inside = of_row < num_documents
    pairs = pd.unique((of_row[inside] << BITS) | table.grams[inside])  # by hashing, which is faster than sorting
    return np.log(np.maximum(1, np.bincount(pairs & ((1 << BITS) - 1), minlength=table.num_grams)))
