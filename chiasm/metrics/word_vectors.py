"""What word vectors encode: the frequency of words in their lengths, the relations of words in their angles.

The two analyses of *On Randomly Drawn Fixed Target Word Embeddings* (sheet `fixed_targets`, sections 6 and 8). The
paper prints positive correlations of length and frequency while its text and figure say that long vectors belong to
rare words; here the sign is reported as it is, to be compared with the paper's by its size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from chiasm.metrics.correlation import spearman
from chiasm.metrics.estimate import Array, Estimate

Pair = tuple[str, str, float]  # two words and how closely people find them related


def magnitude_and_frequency(vectors: ArrayLike, frequencies: ArrayLike) -> Estimate:
    """Spearman's rho of the lengths of vectors (V, D) and the counts of their words (V) in the training captions."""
    return spearman(magnitudes(vectors), np.asarray(frequencies, dtype=np.float64))


def magnitudes(vectors: ArrayLike) -> Array:
    """(V, D) -> (V,) L2 norms. Raises ValueError for another shape."""
    table = np.asarray(vectors, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"word vectors are a table (words, size); got shape {table.shape}")
    return np.asarray(np.linalg.norm(table, axis=1))


@dataclass(frozen=True)
class Relations:
    """Spearman's rho of cosines and human judgements over the pairs both words of which have vectors."""

    rho: Estimate
    covered: int
    pairs: int

    def __str__(self) -> str:
        r = self.rho
        return f"{r.value:.2f} ({r.low:.2f} to {r.high:.2f}), {self.covered} of {self.pairs} pairs"


def relations(vectors: ArrayLike, words: Mapping[str, int], judged: Sequence[Pair]) -> Relations:
    """How vectors (V, D) of `words` (word -> row) agree with people about which words are related.

    Cosine similarity, so agreement is positive. Raises ValueError for a row that does not exist.
    """
    table = np.asarray(vectors, dtype=np.float64)
    norms = magnitudes(table)
    beyond = [word for word, row in words.items() if not 0 <= row < len(table)]
    if beyond:
        raise ValueError(f"word {beyond[0]!r} has row {words[beyond[0]]}; there are {len(table)} vectors")
    known = [(words[a], words[b], score) for a, b, score in judged if a in words and b in words]
    first, second = np.array([k[0] for k in known], np.int64), np.array([k[1] for k in known], np.int64)
    lengths = norms[first] * norms[second]
    cosines = np.einsum("pd,pd->p", table[first], table[second]) / np.where(lengths > 0, lengths, 1.0)
    return Relations(spearman(cosines, [k[2] for k in known]), len(known), len(judged))
