"""N-grams of many sentences as integers: counted, and compared, without a Python loop over them.

A sentence is tokens separated by spaces. An n-gram is two (n-1)-grams that overlap: their numbers side by side in 64
bits are its own, made compact again for each n, so that no two n-grams ever share a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Ids = NDArray[np.int64]

MAX_ORDER = 4  # of BLEU-4, CIDEr, distinct-n and self-BLEU
BITS = 32  # for each of the two numbers that are joined


@dataclass(frozen=True)
class Counts:
    """How often each n-gram of one length occurs in each row: E entries, in order of row, then n-gram."""

    rows: Ids  # (E,)
    grams: Ids  # (E,)
    counts: Ids  # (E,)
    num_rows: int
    num_grams: int  # numbers are below it

    @property
    def keys(self) -> Ids:
        """(E,) one rising number for each pair of row and n-gram."""
        return self.rows * self.num_grams + self.grams

    def of_groups(self, group: Ids, num_groups: int) -> Counts:
        """The largest count of each n-gram in any row of each group; `group` (num_rows) rises with the row."""
        keys = group[self.rows] * self.num_grams + self.grams
        order = np.argsort(keys, kind="stable")
        keys, starts = np.unique(keys[order], return_index=True)
        largest = np.maximum.reduceat(self.counts[order], starts) if len(starts) else self.counts
        return Counts(keys // self.num_grams, keys % self.num_grams, largest, num_groups, self.num_grams)

    def find(self, other: Counts, rows: Ids) -> tuple[Ids, NDArray[np.bool_]]:
        """Where this table holds `other`'s entries, looked for in row `rows` (E of other): (E,) entries, and if at all.

        Where an n-gram is not found the entry means nothing. Both tables' n-grams are numbered by one `Index`.
        """
        keys = self.keys
        wanted = rows * self.num_grams + other.grams
        entries = np.searchsorted(keys, wanted)
        entries[entries == len(keys)] = 0
        known = (other.grams < self.num_grams) & (keys[entries] == wanted) if len(keys) else np.zeros(len(wanted), bool)
        return entries, known


class Index:
    """The words and n-grams (n up to `order`) of given sentences, numbered; others can be looked up in it."""

    def __init__(self, sentences: Sequence[str], *, order: int = MAX_ORDER) -> None:
        self.order = order
        tokens, self.lengths = _split(sentences)
        self._words = {word: number for number, word in enumerate(dict.fromkeys(tokens))}
        self._levels: list[pd.Index[int]] = []  # of n = 2, 3, ...: the joined numbers, in order of the compact ones
        grams = np.fromiter(map(self._words.__getitem__, tokens), np.int64, len(tokens))
        rows = np.repeat(np.arange(len(sentences)), self.lengths)
        self.counts = [_count(rows, grams, len(sentences), len(self._words))]  # of n = 1, 2, ...
        for _ in range(2, order + 1):
            joined, rows = _joined(grams, rows)
            grams, distinct = pd.factorize(joined)
            self._levels.append(pd.Index(distinct))
            self.counts.append(_count(rows, grams, len(sentences), len(distinct)))

    @property
    def num_words(self) -> int:
        """Distinct words."""
        return len(self._words)

    def look_up(self, sentences: Sequence[str]) -> tuple[list[Counts], Ids]:
        """The counts of n = 1, 2, ... and the lengths (S,) of other sentences.

        An n-gram that the index does not hold gets a number above the index's own, which means nothing outside
        this call.
        """
        tokens, lengths = _split(sentences)
        known, new = self._words, dict[str, int]()
        numbers = (known[t] if t in known else new.setdefault(t, len(known) + len(new)) for t in tokens)
        grams = np.fromiter(numbers, np.int64, len(tokens))
        rows = np.repeat(np.arange(len(sentences)), lengths)
        found = [_count(rows, grams, len(sentences), len(known) + len(new))]
        for level in self._levels:
            joined, rows = _joined(grams, rows)
            grams = level.get_indexer(pd.Index(joined)).astype(np.int64)
            strange, distinct = pd.factorize(joined[grams < 0])
            grams[grams < 0] = strange + len(level)
            found.append(_count(rows, grams, len(sentences), len(level) + len(distinct)))
        return found, lengths


def _split(sentences: Sequence[str]) -> tuple[list[str], Ids]:
    """All tokens one after another, and the number of tokens of each sentence (S,)."""
    split = [sentence.split() for sentence in sentences]
    return list(chain.from_iterable(split)), np.fromiter(map(len, split), np.int64, len(split))


def _joined(grams: Ids, rows: Ids) -> tuple[Ids, Ids]:
    """The (n-1)-grams of all places, and their sentences -> those of the n-grams, numbered but not compactly."""
    same = rows[1:] == rows[:-1]
    return (grams[:-1][same] << BITS) | grams[1:][same], rows[1:][same]


def _count(rows: Ids, grams: Ids, num_rows: int, num_grams: int) -> Counts:
    keys, counts = np.unique((rows << BITS) | grams, return_counts=True)
    return Counts(keys >> BITS, keys & ((1 << BITS) - 1), counts, num_rows, num_grams)
