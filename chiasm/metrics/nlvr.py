"""Accuracy and consistency of NLVR2 (Suhr et al., ACL 2019), as its official script defines them.

Consistency is the share of sentences that are judged right with every one of their image pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from chiasm.metrics.estimate import Estimate, Resampling, members


def sentence_of(identifier: str) -> str:
    """What the examples of one sentence share: "dev-630-2-0" -> "dev-630--0" (split-set-pair-sentence).

    By identifier, not by the sentence's text: the same text occurs in different sets. Raises ValueError.
    """
    split, image_set, _, sentence = _fields(identifier)
    return f"{split}-{image_set}--{sentence}"


def image_set_of(identifier: str) -> str:
    """The set of image pairs an example belongs to: "dev-630-2-0" -> "dev-630". Raises ValueError."""
    return "-".join(_fields(identifier)[:2])


def evaluate(
    correct: Sequence[bool],
    sentences: Sequence[str] | None,
    image_sets: Sequence[str] | None = None,
    families: Sequence[str | None] = (),
) -> dict[str, Estimate]:
    """`accuracy` of n judgements and `consistency` of their sentences (left out when `sentences` is None).

    `sentences`: what names the sentence of each judgement (`sentence_of`). Intervals resample `image_sets`
    (`image_set_of`), since the sentences of one set are about the same pictures; None: the sentences. `families`: the
    kind of each statement where it is known, for "accuracy/family/<kind>".
    """
    scores = np.asarray(correct, dtype=np.float64)
    units = image_sets if image_sets is not None else sentences
    resampling = Resampling(len(scores) if units is None else units)
    kinds = members("accuracy/family", families) if any(families) else {}
    found = resampling.shares(scores, {"accuracy": np.ones(len(scores), dtype=bool), **kinds})
    if sentences is None:
        return found
    if len(sentences) != len(scores):
        raise ValueError(f"{len(sentences)} sentence names for {len(scores)} judgements")
    group, names = pd.factorize(np.array(sentences, dtype=object))
    consistent = np.ones(len(names))
    np.minimum.at(consistent, group, scores)
    first = np.unique(group, return_index=True)[1]
    of_sentence = Resampling(len(names) if image_sets is None else [image_sets[i] for i in first])
    return found | of_sentence.shares(consistent, {"consistency": np.ones(len(names), dtype=bool)})


def _fields(identifier: str) -> list[str]:
    fields = identifier.split("-")
    if len(fields) != 4:
        raise ValueError(f"NLVR2 identifier {identifier!r}: expected split-set-pair-sentence, such as 'dev-630-2-0'")
    return fields
