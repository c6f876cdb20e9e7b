"""What is in the picture, in a sentence: several people's captions to learn from and to be measured by.

VBCS and WCS (sheet `caption_sampling`) are ways of learning: which of an image's captions is learnt on a visit, and
whether the others add words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from chiasm.data.example import DataError, Example
from chiasm.data.references import AfterEnd, Sampling, Smoothing, Teaching
from chiasm.data.words import WordVocabulary
from chiasm.metrics.captions.evaluate import evaluate, tokenised
from chiasm.metrics.captions.validity import validity
from chiasm.metrics.estimate import Estimate
from chiasm.tasks import Prediction
from chiasm.tasks._pairing import images_of, paired
from chiasm.tasks._sentences import SentenceTask, references_of

HEADLINES = ("cider_d", "cider", "bleu4", "rouge_l")


class Caption(SentenceTask):
    """A caption for each image.

    - `min_count`, `max_words`: rarer words are unknown, longer training captions are cut
    - `sampling`: one caption is learnt on each visit, any ("uniform"), by validity ("validity": VBCS), or always the
      most valid one ("best")
    - `metric`: validity is agreement by "cider", "bleu4" or "rouge_l", among the training captions of an image
    - `smoothing` with `alpha`: "references" (WCS, by `shares`: "validity" or "uniform"), "label" over all words,
      "label_others" over all but the right one
    - `after_end`: what shorter references add after their end
    - `validity_cache`: a folder in which validity scores are kept
    - `headline`: the measure by which the best weights are kept and training falls or ends: one of `HEADLINES`
    """

    name = "caption"

    def __init__(
        self,
        *,
        min_count: int = 5,
        max_words: int = 16,
        sampling: Sampling = "uniform",
        metric: Literal["cider", "bleu4", "rouge_l"] = "cider",
        smoothing: Smoothing = "none",
        alpha: float = 0.2,
        shares: Literal["validity", "uniform"] = "validity",
        after_end: AfterEnd = "pad_token",
        validity_cache: str = "",
        headline: Literal["cider_d", "cider", "bleu4", "rouge_l"] = "cider_d",
    ) -> None:
        if headline not in HEADLINES:
            raise ValueError(f"headline is {headline!r}: one of {', '.join(HEADLINES)} is expected")
        super().__init__(
            min_count=min_count,
            max_words=max_words,
            sampling=sampling,
            metric=metric,
            smoothing=smoothing,
            alpha=alpha,
            shares=shares,
            after_end=after_end,
            validity_cache=str(validity_cache),
            headline=headline,
        )
        self.headline = headline
        self._valid: dict[str, NDArray[np.float64]] = {}  # of training images

    @property
    def teaching(self) -> Teaching:
        """How the captions are learnt."""
        same = {key: self.options[key] for key in ("sampling", "smoothing", "alpha", "after_end")}
        return Teaching(**same, even=self.options["shares"] == "uniform", num_words=len(self.vocabulary))

    def fit(self, examples: Sequence[Example]) -> Self:
        """Number the words, and compute the validity of the training captions where it is asked for."""
        super().fit(examples)
        by_reference = self.options["smoothing"] == "references" and self.options["shares"] == "validity"
        if self.options["sampling"] != "uniform" or by_reference:
            captioned = [example for example in examples if references_of(example)]
            cache = self.options["validity_cache"]
            found = validity(
                tokenised([references_of(example) for example in captioned]),
                metric=self.options["metric"],
                cache=Path(cache) if cache else None,
            )
            self._valid = {example.id: scores for example, scores in zip(captioned, found, strict=True)}
        return self

    def shares(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        """(captions,) validity where it is known; held-out images' captions count all alike."""
        parts = [np.zeros(0)]
        for example in examples:
            count = len(references_of(example))
            known = self._valid.get(example.id)
            if count:
                parts.append(known if known is not None and len(known) == count else np.full(count, 1 / count))
        return np.concatenate(parts)

    def words_of(self, sentences: Iterable[str]) -> WordVocabulary:
        """The words that occur often enough, in lower case and without punctuation."""
        min_count, max_words = self.options["min_count"], self.options["max_words"]
        return WordVocabulary.fit(sentences, min_count=min_count, signs=False, max_words=max_words)

    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        """BLEU, ROUGE-L, CIDEr-D (`cider_d`, what papers print as CIDEr, divided by 100), METEOR, words used."""
        said = [str(prediction.answer) for prediction in paired(predictions, examples)]
        references = [references_of(example) for example in examples]
        without = [e.id for e, texts in zip(examples, references, strict=True) if not texts]
        if without:
            raise DataError(f"no caption to compare with for {', '.join(without[:5])} ({len(without)} in all)")
        return evaluate(said, references, groups=images_of(examples))

    def _with_words(self, words: Sequence[str]) -> WordVocabulary:
        return WordVocabulary(words, signs=False, max_words=self.options["max_words"])


Task = Caption
