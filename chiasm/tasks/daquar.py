"""A word or a set of words about a photo of a room: DAQUAR (Malinowski and Fritz, NeurIPS 2014)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from chiasm.data.example import Example
from chiasm.data.sources.daquar import answer_set
from chiasm.data.vocabulary import is_missing
from chiasm.metrics import estimate, wups
from chiasm.metrics.estimate import Estimate
from chiasm.metrics.wordnet import WordNet, WordNetMissing
from chiasm.tasks import Prediction
from chiasm.tasks._answers import AnswerTask
from chiasm.tasks._pairing import gold, images_of, paired

THRESHOLDS = (0.9, 0.0)  # those that are always reported


class Daquar(AnswerTask):
    """The whole set of words as one answer of a vocabulary: "book, scissor".

    - `loss`: "ce", the softmax towards the answer; "bce", a sigmoid for each
    - `min_count`, `max_size`, `vocabulary`: of the answers, as in task `vqa`
    - `wordnet`: the folder of WordNet's files that WUPS needs; empty: where the system has them. Where there are none,
      a warning says that WUPS is not measured, and accuracy is
    """

    name = "daquar"

    def __init__(
        self,
        *,
        loss: Literal["ce", "bce"] = "ce",
        min_count: int = 1,
        max_size: int = 0,
        vocabulary: str = "",
        wordnet: str = "",
    ) -> None:
        self.options: dict[str, Any] = {
            "loss": loss,
            "min_count": min_count,
            "max_size": max_size,
            "vocabulary": vocabulary,
            "wordnet": wordnet,
        }

    def answers(self, examples: Sequence[Example]) -> list[Mapping[str, float] | None]:
        """The answer set of each example as one text, with score 1."""
        values = [example.values.get("answer") for example in examples]
        return [None if is_missing(value) else {", ".join(answer_set(str(value))): 1.0} for value in values]

    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        """`accuracy` (equal sets), `wups_0.9` and `wups_0.0`, and accuracy by the number of words.

        Intervals resample images. Raises `WordNetMissing` when the folder that the options name holds no WordNet.
        """
        said = [answer_set(str(prediction.answer)) for prediction in paired(predictions, examples)]
        true = [answer_set(str(value)) for value in gold(examples, self.labelled)]
        images = images_of(examples)
        members: dict[str, wups.Membership] = {"accuracy": wups.equal}
        wordnet = self._wordnet()
        if wordnet is not None:
            members |= {f"wups_{threshold}": wups.wup(wordnet, threshold) for threshold in THRESHOLDS}
        found = {
            name: estimate.mean([wups.score(a, t, member) for a, t in zip(said, true, strict=True)], images)
            for name, member in members.items()
        }
        resampling = estimate.Resampling(images)
        sizes = ["one word" if len(words) == 1 else "several words" for words in true]
        correct = [float(a == t) for a, t in zip(said, true, strict=True)]
        return {**found, **resampling.shares(correct, estimate.members("accuracy/answer", sizes))}

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """An answer a line, in order, as the authors' script reads it."""
        path.write_text("".join(f"{prediction.answer}\n" for prediction in predictions), encoding="utf-8")

    def _wordnet(self) -> WordNet | None:
        folder = self.options["wordnet"]
        try:
            return WordNet(folder or None)
        except WordNetMissing as error:
            if folder:
                raise
            warnings.warn(f"WUPS is not measured: {error}", stacklevel=3)
            return None


Task = Daquar
