"""METEOR's alignment of two sentences: which words correspond (Denkowski and Lavie 2014, section 2.1).

Words correspond when they are equal, have one stem, or are synonyms. Of all alignments that use a word at most once
the best has the most words; then the fewest chunks, which are runs that are consecutive in both sentences; then the
smallest sum of distances between the places. As in the original the search goes through one sentence from left to
right and keeps the 40 best beginnings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

BEAM = 40
Stage = Callable[[str, str], bool]  # whether two different words correspond


@dataclass(frozen=True)
class Match:
    """Word `first` of one sentence corresponds to word `second` of the other, found by stage number `stage`."""

    first: int
    second: int
    stage: int


@dataclass(frozen=True)
class _Path:
    """An alignment of the second sentence's words so far."""

    matches: tuple[Match, ...] = ()
    used: int = 0  # bits: words of the first sentence
    chunks: int = 0  # closed or open
    distance: int = 0
    last: int = -2  # the first sentence's word that the previous word was matched to, -2 for none

    @property
    def rank(self) -> tuple[int, int, int]:
        """The smaller the better."""
        return -len(self.matches), self.chunks, self.distance

    def plus(self, match: Match) -> _Path:
        follows = match.first == self.last + 1
        return _Path(
            (*self.matches, match),
            self.used | 1 << match.first,
            self.chunks + (not follows),
            self.distance + abs(match.first - match.second),
            match.first,
        )


def align(first: Sequence[str], second: Sequence[str], stages: Sequence[Stage]) -> tuple[list[Match], int]:
    """The matches in order of the second sentence, and the number of chunks.

    Stage 0 is equality; `stages` are asked next, in order, about every pair of different words.
    """
    if list(first) == list(second):
        return [Match(i, i, 0) for i in range(len(first))], int(len(first) > 0)
    candidates = [_candidates(first, word, place, stages) for place, word in enumerate(second)]
    paths = [_Path()]
    certain = _certain(candidates)
    for place, choices in enumerate(candidates):
        found = []
        for path in sorted(paths, key=lambda p: p.rank)[:BEAM]:
            free = [m for m in choices if not path.used >> m.first & 1]
            found += [path.plus(m) for m in free]
            if place not in certain:
                found.append(_Path(path.matches, path.used, path.chunks, path.distance))
        paths = found
    best = min(paths, key=lambda p: p.rank)
    return list(best.matches), best.chunks


def _candidates(first: Sequence[str], word: str, place: int, stages: Sequence[Stage]) -> list[Match]:
    """All words of the first sentence that word `place` of the second may correspond to."""
    found = []
    for i, other in enumerate(first):
        stage = 0 if other == word else next((k for k, same in enumerate(stages, 1) if same(other, word)), None)
        if stage is not None:
            found.append(Match(i, place, stage))
    return found


def _certain(candidates: Sequence[Sequence[Match]]) -> frozenset[int]:
    """Places of the second sentence whose only candidate is nobody else's: they are always matched."""
    wanted: dict[int, int] = {}
    for choices in candidates:
        for match in choices:
            wanted[match.first] = wanted.get(match.first, 0) + 1
    return frozenset(
        place for place, choices in enumerate(candidates) if len(choices) == 1 and wanted[choices[0].first] == 1
    )
