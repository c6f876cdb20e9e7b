"""The three accuracies of VCR (Zellers et al., CVPR 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chiasm.metrics.estimate import Estimate, Resampling

NAMES = {"answer": "q_to_a", "rationale": "qa_to_r"}
BOTH = "q_to_ar"


def evaluate(right: Mapping[str, Sequence[bool]], images: Sequence[object]) -> dict[str, Estimate]:
    """ "q_to_a" and "qa_to_r", and "q_to_ar" when there are both: an example counts when both of its answers do.

    `right`: "answer" and "rationale" -> whether each example's was right, the rationale given the true answer.
    Chance is 25, 25 and 6.25 %. Intervals resample images.
    """
    scores = {NAMES[part]: np.asarray(values, dtype=np.float64) for part, values in right.items()}
    if len(scores) == len(NAMES):
        scores[BOTH] = np.prod(list(scores.values()), axis=0)
    resampling = Resampling(images)
    everyone = np.ones(len(images), dtype=np.bool_)
    return {name: resampling.shares(values, {name: everyone})[name] for name, values in scores.items()}
