"""Do caption measures agree with people? Kendall's tau of each measure with human grades, beside the published values.

Protocol of Anderson et al. (SPICE, 2016) as Hessel et al. (CLIPScore, EMNLP 2021, appendix A) write it down: for the
experts tau-c, three grades of a caption being three judgements, without captions that are among the references; for the
crowd tau-b with the share of people who say that the caption fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chiasm.metrics.captions import bleu, cider, rouge
from chiasm.metrics.captions.meteor import Meteor
from chiasm.metrics.captions.references import References
from chiasm.metrics.correlation import KENDALL_DRAWS, Variant, kendall
from chiasm.metrics.estimate import Array, Estimate

# Hessel et al. 2021, tables 1 and 2. METEOR there is the official one with paraphrases, CIDEr is CIDEr-D.
PUBLISHED: dict[str, dict[str, float]] = {
    "experts": {"bleu1": 0.323, "bleu4": 0.308, "rouge_l": 0.323, "meteor": 0.418, "cider_d": 0.439},
    "crowd": {"bleu1": 0.179, "bleu4": 0.169, "rouge_l": 0.199, "meteor": 0.222, "cider_d": 0.246},
}
VARIANTS: dict[str, Variant] = {"experts": "c", "crowd": "b"}


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau of a measure with people, and the published value where there is one."""

    tau: Estimate  # resampling images; n is the number of judgements
    published: float | None


def measured(
    captions: Sequence[str], references: Sequence[Sequence[str]], *, meteor: Meteor | None
) -> dict[str, Array]:
    """(J,) of each measure for J captions, each with its references; all are tokens separated by spaces.

    METEOR, which takes longest, only when given.
    """
    known = References(references)
    of_bleu = bleu.scores(captions, known)
    found = {
        "bleu1": of_bleu[:, 0],
        "bleu4": of_bleu[:, 3],
        "rouge_l": rouge.scores(captions, known),
        "cider_d": cider.scores(captions, known),
    }
    return found if meteor is None else found | {meteor.name: meteor.scores(captions, known)}


def agreement(
    scores: Mapping[str, Array],
    grades: Sequence[Sequence[float]],
    images: Sequence[object],
    *,
    kind: str,
    draws: int = KENDALL_DRAWS,
) -> dict[str, Agreement]:
    """Measure -> its agreement, from `scores` (J,), the grades of each of J captions, and the image of each.

    `kind`: experts or crowd, which says which tau and whose published values. Raises ValueError for another kind.
    """
    if kind not in PUBLISHED:
        raise ValueError(f"unknown judgements {kind!r}; expected one of {', '.join(PUBLISHED)}")
    of = np.repeat(np.arange(len(grades)), [len(given) for given in grades])
    flat = np.array([grade for given in grades for grade in given], dtype=np.float64)
    unit = [images[k] for k in of.tolist()]
    found = {}
    for name, values in scores.items():
        tau = kendall(values[of], flat, variant=VARIANTS[kind], groups=unit, draws=draws)
        found[name] = Agreement(tau, PUBLISHED[kind].get(name.split("_exact")[0]))
    return found
