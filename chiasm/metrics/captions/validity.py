"""How valid each reference of an image is: its agreement with the image's other references (sheet `caption_sampling`).

    s_j = mean over k != j of f(ref_j as candidate, ref_k as its only reference),   p = softmax over j of s

f is CIDEr-D (the default, with its own factor 10), BLEU-4 or ROUGE-L. The scale matters: with CIDEr-D's 0 to 10 the
probabilities spread as in the paper's figure 1, with BLEU's and ROUGE's 0 to 1 they stay nearly equal. Only training
references may be given, tokenised as for evaluation; an image with one reference has p = 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np

from chiasm.metrics.captions import bleu, cider, rouge
from chiasm.metrics.captions.ngrams import Ids
from chiasm.metrics.captions.references import References, indexed
from chiasm.metrics.estimate import Array

CHUNK = 65_536  # pairs compared at once
VERSION = 1  # of what is kept in files: raised when the numbers change


def agreement(
    references: Sequence[Sequence[str]] | References,
    *,
    metric: str = "cider",
    documents: Sequence[Sequence[str]] | References | None = None,
) -> list[Array]:
    """s of each image's references, (K,) each, 0 where there is only one; `metric` is cider, bleu4 or rouge_l.

    `documents` gives CIDEr's document frequencies, the references themselves when not given. Raises ValueError.
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; expected one of {', '.join(METRICS)}")
    known = indexed(references)
    first, second = _pairs(known)
    compare = METRICS[metric](known, documents)
    parts = [slice(at, at + CHUNK) for at in range(0, len(first), CHUNK)]
    values = np.concatenate([np.zeros(0), *(compare(first[part], second[part]) for part in parts)])
    others = np.maximum(1, known.per_image[known.image] - 1)
    sums = np.bincount(first, values, len(known.sentences)) / others
    return np.split(sums, known.starts[1:])


def probabilities(agreements: Sequence[Array]) -> list[Array]:
    """p of each image: the softmax of each s."""
    raised = [np.exp(s - s.max()) for s in agreements]
    return [e / e.sum() for e in raised]


def validity(
    references: Sequence[Sequence[str]] | References,
    *,
    metric: str = "cider",
    documents: Sequence[Sequence[str]] | References | None = None,
    cache: Path | None = None,
) -> list[Array]:
    """The validity scores p of each image's references, (K,) each, which sum to 1.

    With `cache`, a folder, they are computed once: a file there, named by a fingerprint of everything they depend on,
    keeps them.
    """
    known = indexed(references)
    if cache is None:
        return probabilities(agreement(known, metric=metric, documents=documents))
    path = cache / f"validity-{metric}-{_fingerprint(known, documents)}.npy"
    if path.is_file():
        return np.split(np.load(path), known.starts[1:])
    found = probabilities(agreement(known, metric=metric, documents=documents))
    cache.mkdir(parents=True, exist_ok=True)
    aside = cache / f"{path.stem}-{uuid4().hex}.part.npy"  # several processes may come to the same scores at once
    np.save(aside, np.concatenate(found))
    aside.replace(path)
    return found


def _pairs(known: References) -> tuple[Ids, Ids]:
    """All (j, k), j != k, of sentences of one image: j as candidate, k as reference."""
    count = known.per_image[known.image]  # of sentence j: k runs over as many
    first = np.repeat(np.arange(len(known.sentences)), count)
    place = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
    second = np.repeat(known.starts[known.image], count) + place
    return first[first != second], second[first != second]


Compare = Callable[[Ids, Ids], Array]
Documents = Sequence[Sequence[str]] | References | None


def _by_cider(known: References, documents: Documents) -> Compare:
    scorer = cider.Scorer(known, documents=documents)
    return lambda first, second: scorer.compare(scorer.vectors, first, second)


def _by_bleu4(known: References, documents: Documents) -> Compare:
    sentences = known.sentences
    return lambda first, second: bleu.scores([sentences[j] for j in first], [[sentences[k]] for k in second])[:, 3]


def _by_rouge_l(known: References, documents: Documents) -> Compare:
    sentences, lengths = known.sentences, known.index.lengths

    def compare(first: Ids, second: Ids) -> Array:
        common = rouge.common_lengths([sentences[j] for j in first], [sentences[k] for k in second])
        return rouge.f_score(*rouge.of_lengths(common, lengths[first], lengths[second]))

    return compare


METRICS: dict[str, Callable[[References, Documents], Compare]] = {
    "cider": _by_cider,
    "bleu4": _by_bleu4,
    "rouge_l": _by_rouge_l,
}


def _fingerprint(known: References, documents: Documents) -> str:
    digest = hashlib.sha256(str(VERSION).encode())
    for given in [known, *([] if documents is None else [indexed(documents)])]:
        digest.update(repr(given.per_image.tolist()).encode() + b"\n")
        digest.update("\n".join(given.sentences).encode() + b"\n\n")
    return digest.hexdigest()[:24]
