"""BLEU of translations by sacrebleu (Post 2018), with its signature and an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chiasm.metrics.captions import bleu
from chiasm.metrics.captions.ngrams import MAX_ORDER
from chiasm.metrics.estimate import Array, Estimate, Resampling

TOKENIZE = "13a"


def score(hypotheses: Sequence[str], references: Sequence[str], *, lowercase: bool = True) -> dict[str, Estimate]:
    """`bleu` of the corpus in [0, 1], one reference each, and `length_ratio`, its length by that of the references.

    The value is sacrebleu's; the interval resamples sentences, tokenised as sacrebleu does. Raises ImportError with the
    line that installs it, ValueError for another number of references.
    """
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} translations for {len(references)} references")
    metric = _metric(lowercase)
    found = metric.corpus_score(list(hypotheses), [list(references)])
    tokens = [[_tokens(metric, text, lowercase) for text in texts] for texts in (hypotheses, references)]
    interval = bleu.score(tokens[0], [[text] for text in tokens[1]])["bleu4"]
    value = found.score / 100
    estimate = Estimate(value, min(value, interval.low), max(value, interval.high), len(hypotheses))
    brevity = found.sys_len / max(1, found.ref_len)
    return {"bleu": estimate, "length_ratio": Estimate(brevity, brevity, brevity, len(hypotheses))}


def unsmoothed(hypotheses: Sequence[str], references: Sequence[str]) -> Estimate:
    """BLEU-4 of the corpus as nltk's `corpus_bleu` counts it, of tokens separated by spaces, one reference each.

    Nothing is smoothed: without any common 4-gram it is 0. A sentence of fewer than n tokens counts as one n-gram that
    is not in its reference. The interval resamples sentences. Raises ValueError for another number of references.
    """
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} translations for {len(references)} references")
    table = bleu.statistics(hypotheses, [[text] for text in references])
    table[:, MAX_ORDER : 2 * MAX_ORDER] = np.maximum(1, table[:, MAX_ORDER : 2 * MAX_ORDER])
    return Resampling(len(table)).of_sums(table, _unsmoothed)[0]


def signature(*, lowercase: bool = True) -> str:
    """What sacrebleu says about how it counts: "nrefs:1|case:lc|tok:13a|...". Raises ImportError as `score`."""
    metric = _metric(lowercase)
    metric.corpus_score(["a"], [["a"]])
    return str(metric.get_signature())


def _unsmoothed(sums: Array) -> Array:
    """(..., 10) sums of `bleu.statistics` -> (..., 1)."""
    common, given = sums[..., :MAX_ORDER], sums[..., MAX_ORDER : 2 * MAX_ORDER]
    said, wanted = sums[..., -2:-1], sums[..., -1:]
    brevity = np.where(said > 0, np.exp(np.minimum(0.0, 1 - wanted / np.maximum(said, 1))), 0.0)
    return np.asarray(brevity * (common / given).prod(-1, keepdims=True) ** (1 / MAX_ORDER))


def _metric(lowercase: bool) -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise ImportError("BLEU of translations needs sacrebleu: pip install 'chiasm[translation]'") from error
    # force: no warning that sentences look tokenised; a model writes words with spaces between, and both sides are cut.
    return BLEU(lowercase=lowercase, tokenize=TOKENIZE, force=True)


def _tokens(metric: Any, text: str, lowercase: bool) -> str:
    return str(metric.tokenizer((text.lower() if lowercase else text).rstrip()))
