"""BLEU of translations by sacrebleu (Post 2018), with its signature and an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chiasm.metrics.captions import bleu
from chiasm.metrics.estimate import Estimate

TOKENIZE = "13a"


def score(hypotheses: Sequence[str], references: Sequence[str], *, lowercase: bool = True) -> dict[str, Estimate]:
    """`bleu` of the corpus in [0, 1], one reference each, and the share `brevity` of its length.

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


def signature(*, lowercase: bool = True) -> str:
    """What sacrebleu says about how it counts: "nrefs:1|case:lc|tok:13a|...". Raises ImportError as `score`."""
    metric = _metric(lowercase)
    metric.corpus_score(["a"], [["a"]])
    return str(metric.get_signature())


def _metric(lowercase: bool) -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise ImportError("BLEU of translations needs sacrebleu: pip install 'chiasm[translation]'") from error
    # force: no warning that sentences look tokenised; a model writes words with spaces between, and both sides are cut.
    return BLEU(lowercase=lowercase, tokenize=TOKENIZE, force=True)


def _tokens(metric: Any, text: str, lowercase: bool) -> str:
    return str(metric.tokenizer((text.lower() if lowercase else text).rstrip()))
