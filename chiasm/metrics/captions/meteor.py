"""METEOR 1.5 (Denkowski and Lavie, WMT 2014) for English without its paraphrase stage, in Python.

    P = sum_i w_i (d m_i(content of h) + (1 - d) m_i(function words of h)) / (d |content| + (1 - d) |function words|)
    R the same over the reference,  F = P R / (a P + (1 - a) R)
    score = F (1 - g (chunks / matches)^b)

with a = .85, b = .2, g = .6, d = .75 and stages exact (w = 1), stem (.6) and synonym (.8, where WordNet is present).
Of several references the one that gives the hypothesis the best score counts; a corpus's score is that of its sums.

# Differs: the official tool has a fourth stage, a table of 60 MB of paraphrases (w = .6), so its figures are higher;
therefore results here are named for their stages, `meteor_exact_stem_synonym` or `meteor_exact_stem`.
# Differs: which words are function words (relative frequency above 10^-3) is a list of ours. Against the official tool
with the same stages: `docs/results/captions.md`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from chiasm.metrics.captions.align import Match, Stage, align
from chiasm.metrics.captions.references import References, indexed
from chiasm.metrics.captions.stem import stem
from chiasm.metrics.estimate import Array, Estimate, Resampling
from chiasm.metrics.wordnet import WordNet, WordNetMissing

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
WEIGHTS = (1.0, 0.6, 0.8)  # exact, stem, synonym
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\S+",
        """a about after all also an and are as at be because been but by can could do first for from had has have
        he her his i if in into is it its last more new no not of on one only or other out over people said she
        so some than that the their them there they this time to two up was we were what when which who will with
        would year years you s ' " , . : ; ? ! - -- ( ) $ -lrb- -rrb-""",
    )
)
# METEOR's own normalisation (-norm), applied after the tokeniser's: hyphens part words, apostrophes stand apart.
NORMALISED = (
    (re.compile(r"(?<=\w)-(?=\w)"), " "),
    (re.compile(r"(?<!\w)'(?=\w)"), "' "),
    (re.compile(r"(?<=\w)'(?=\w)"), " '"),
    (re.compile(r"(?<=\w)\.$"), " ."),
)
# Columns of the sums: for hypothesis, then reference: weighted content, weighted function matches, content words,
# function words, matches; then chunks.
COLUMNS = 11


class Meteor:
    """The measure with its stages: with synonyms where `wordnet` is given.

    `function_words` weigh 1 - d, all other words d.
    """

    def __init__(self, wordnet: WordNet | None = None, *, function_words: frozenset[str] = FUNCTION_WORDS) -> None:
        self.function_words = function_words
        self.stages: list[Stage] = [lambda a, b: stem(a) == stem(b)]
        self.name = "meteor_exact_stem"
        if wordnet is not None:
            synonyms: Callable[[str], frozenset[tuple[str, int]]] = lru_cache(maxsize=None)(wordnet.synonyms)
            self.stages.append(lambda a, b: not synonyms(a).isdisjoint(synonyms(b)))
            self.name += "_synonym"

    def statistics(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]] | References) -> Array:
        """(I, 11) the sums of each hypothesis with its best reference; sentences are tokens separated by spaces."""
        known = indexed(references)
        known.check(hypotheses)
        words = [_words(text) for text in hypotheses]
        pairs = [
            self._of_pair(words[image], _words(text)) for image, text in zip(known.image, known.sentences, strict=True)
        ]
        table = np.array(pairs)
        values = of_statistics(table, whole=True)
        best = [
            start + int(np.argmax(part))
            for start, part in zip(known.starts, np.split(values, known.starts[1:]), strict=True)
        ]
        return table[best]

    def scores(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]] | References) -> Array:
        """(I,) the score of each hypothesis, in [0, 1]. Raises ValueError for another number of hypotheses."""
        return of_statistics(self.statistics(hypotheses, references), whole=True)

    def score(
        self,
        hypotheses: Sequence[str],
        references: Sequence[Sequence[str]] | References,
        *,
        groups: Sequence[object] | None = None,
    ) -> dict[str, Estimate]:
        """The corpus's score under the stages' name, with an interval that resamples images (or `groups`)."""
        table = self.statistics(hypotheses, references)
        resampling = Resampling(len(table) if groups is None else groups)
        return {self.name: resampling.of_sums(table, lambda sums: of_statistics(sums)[:, None])[0]}

    def _of_pair(self, hypothesis: Sequence[str], reference: Sequence[str]) -> list[float]:
        matches, chunks = align(hypothesis, reference, self.stages)
        of_hypothesis = self._side(hypothesis, matches, lambda m: m.first)
        return [*of_hypothesis, *self._side(reference, matches, lambda m: m.second), float(chunks)]

    def _side(self, words: Sequence[str], matches: Sequence[Match], place: Callable[[Match], int]) -> list[float]:
        is_function = [word in self.function_words for word in words]
        content = sum(WEIGHTS[m.stage] for m in matches if not is_function[place(m)])
        function = sum(WEIGHTS[m.stage] for m in matches if is_function[place(m)])
        return [content, function, float(len(words) - sum(is_function)), float(sum(is_function)), float(len(matches))]


def of_statistics(sums: Array, *, whole: bool = False) -> Array:
    """(..., 11) -> (...): the score in [0, 1]. `whole`: of single sentences; one that is found whole has no penalty."""
    precision, recall = _weighted(sums[..., 0:4]), _weighted(sums[..., 5:9])
    below = ALPHA * precision + (1 - ALPHA) * recall
    f = np.divide(precision * recall, below, out=np.zeros_like(below), where=below > 0)
    matches, chunks = (sums[..., 4] + sums[..., 9]) / 2, sums[..., 10]
    fragmentation = np.divide(chunks, matches, out=np.zeros_like(f), where=matches > 0)
    if whole:
        words = sums[..., 2] + sums[..., 3], sums[..., 7] + sums[..., 8]
        complete = (sums[..., 4] == words[0]) & (sums[..., 9] == words[1]) & (chunks == 1)
        fragmentation = np.where(complete, 0.0, fragmentation)
    return np.asarray(f * (1 - GAMMA * fragmentation**BETA))


def with_wordnet_if_present() -> Meteor:
    """With the synonym stage where WordNet's files are found; the result's name says which."""
    try:
        return Meteor(WordNet())
    except WordNetMissing:
        return Meteor()


def _words(sentence: str) -> list[str]:
    for pattern, written in NORMALISED:
        sentence = pattern.sub(written, sentence)
    return sentence.split()


def _weighted(side: Array) -> Array:
    """(..., 4) weighted content, weighted function matches, content words, function words -> the weighted share."""
    below = DELTA * side[..., 2] + (1 - DELTA) * side[..., 3]
    above = DELTA * side[..., 0] + (1 - DELTA) * side[..., 1]
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)
