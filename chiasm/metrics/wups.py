"""WUPS, the soft accuracy of answer sets (Malinowski and Fritz, NeurIPS 2014, section 3).

    score(A, T) = min( prod_{a in A} max_{t in T} mu(a, t), prod_{t in T} max_{a in A} mu(a, t) )

mu is 1 for equal words; for others their Wu-Palmer similarity in WordNet as nouns, multiplied by 0.1 where it is below
the threshold, as in the authors' script. With mu = equality it is the plain accuracy of sets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from chiasm.metrics.wordnet import WordNet

Membership = Callable[[str, str], float]
DOWN_WEIGHT = 0.1  # of a similarity below the threshold


def equal(first: str, second: str) -> float:
    """1 for the same word, else 0."""
    return float(first == second)


def wup(wordnet: WordNet, threshold: float) -> Membership:
    """The similarity of two words above `threshold`, and a tenth of it below. Underscores are spaces in names."""

    def membership(first: str, second: str) -> float:
        value = wordnet.similarity(first, second, "n")
        return value if value >= threshold else DOWN_WEIGHT * value

    return membership


def score(said: Sequence[str], true: Sequence[str], membership: Membership) -> float:
    """The score of one answer set, in [0, 1]; two empty sets are equal."""
    if not said or not true:
        return float(not said and not true)
    forth = prod(max(membership(a, t) for t in true) for a in said)
    back = prod(max(membership(a, t) for a in said) for t in true)
    return min(forth, back)
