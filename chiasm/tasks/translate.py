"""A sentence in another language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from chiasm.data.example import DataError, Example
from chiasm.data.references import Teaching
from chiasm.data.words import WordVocabulary
from chiasm.metrics import translation
from chiasm.metrics.captions.diversity import vocabulary_usage
from chiasm.metrics.estimate import Estimate
from chiasm.tasks import Prediction
from chiasm.tasks._pairing import paired
from chiasm.tasks._sentences import SentenceTask, references_of


class Translate(SentenceTask):
    """One sentence to learn for each example.

    - `min_count`: words with fewer occurrences in the training sentences are unknown
    - `max_words`: longer training sentences are cut; 0: none is
    - `smoothing`, `alpha`: label smoothing over all words, or over all but the right one
    """

    name = "translate"
    headline = "bleu"
    images = 0

    def __init__(
        self,
        *,
        min_count: int = 2,
        max_words: int = 0,
        lowercase: bool = True,
        smoothing: Literal["none", "label", "label_others"] = "none",
        alpha: float = 0.1,
    ) -> None:
        super().__init__(
            min_count=min_count, max_words=max_words, lowercase=lowercase, smoothing=smoothing, alpha=alpha
        )

    @property
    def teaching(self) -> Teaching:
        """How the sentences are learnt."""
        smoothing, alpha = self.options["smoothing"], self.options["alpha"]
        return Teaching(smoothing=smoothing, alpha=alpha, num_words=len(self.vocabulary))

    def words_of(self, sentences: Iterable[str]) -> WordVocabulary:
        """The words that occur often enough, punctuation included."""
        min_count, max_words, lowercase = (self.options[key] for key in ("min_count", "max_words", "lowercase"))
        return WordVocabulary.fit(sentences, min_count=min_count, lowercase=lowercase, max_words=max_words)

    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        """`bleu` by sacrebleu and `length_ratio` (see `metrics.translation`), `bleu_unsmoothed` of the words as the
        model cuts them, and `vocabulary_usage`."""
        said = [str(prediction.answer) for prediction in paired(predictions, examples)]
        wanted = []
        for example in examples:
            references = references_of(example)
            if len(references) != 1:
                raise DataError(f"example {example.id} has {len(references)} translations; one is expected")
            wanted += references
        found = translation.score(said, wanted, lowercase=self.options["lowercase"])
        cut = [[" ".join(self.vocabulary.cut(text)) for text in texts] for texts in (said, wanted)]
        return found | {"bleu_unsmoothed": translation.unsmoothed(*cut), "vocabulary_usage": vocabulary_usage(said)}

    def notes(self) -> Mapping[str, str]:
        """sacrebleu's signature."""
        return {"bleu": f"sacrebleu {translation.signature(lowercase=self.options['lowercase'])}"}

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """A line each, in the order given."""
        path.write_text("".join(f"{prediction.answer}\n" for prediction in predictions), encoding="utf-8")

    def _with_words(self, words: Sequence[str]) -> WordVocabulary:
        return WordVocabulary(words, lowercase=self.options["lowercase"], max_words=self.options["max_words"])


Task = Translate
