"""What tasks answered by sentences share: words, sentences to learn, sentences said (private to `tasks`)."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chiasm.batch import Output
from chiasm.data.columns import Column, EncodedDataset
from chiasm.data.example import DataError, Example
from chiasm.data.references import ReferenceColumn, ReferenceDataset, Teaching
from chiasm.data.words import END, PAD, SPECIAL, WordVocabulary
from chiasm.objectives import Objective
from chiasm.objectives.words import next_word
from chiasm.tasks import BaseTask, Prediction, is_answered
from chiasm.tasks._pairing import load_state, save_state

HEAD = "words"
GENERATED, LOG_PROBABILITIES = "generated", "log_probabilities"  # as the models name them
SURE = -1e-6  # a mean log-probability is taken to be at most this, so that its log-odds are a number


class SentenceTask(BaseTask):
    """A sentence for each example. `answer` is a right one, or a list of them.

    Raises ValueError for an option `alpha`, the mass that smoothing gives away, that is not a share.
    """

    def __init__(self, **options: Any) -> None:
        alpha = options["alpha"]
        if not 0 <= alpha < 1:
            raise ValueError(f"alpha is {alpha}: a share, at least 0 and below 1, is expected")
        self.options: dict[str, Any] = options
        self._vocabulary: WordVocabulary | None = None

    @property
    @abstractmethod
    def teaching(self) -> Teaching:
        """How the sentences are learnt."""

    @property
    def vocabulary(self) -> WordVocabulary:
        """The words that can be written. Raises RuntimeError before `fit`."""
        if self._vocabulary is None:
            raise RuntimeError(f"task {self.name!r} has no words yet: call fit(training examples) or load(folder)")
        return self._vocabulary

    @abstractmethod
    def words_of(self, sentences: Iterable[str]) -> WordVocabulary:
        """The vocabulary of training sentences."""

    def fit(self, examples: Sequence[Example]) -> Self:
        """Number the words of the training sentences. Raises `DataError` when there are none."""
        sentences = [sentence for example in examples for sentence in references_of(example)]
        if not sentences:
            raise DataError(f"none of the {len(examples)} training examples has a sentence to learn")
        self._vocabulary = self.words_of(sentences)
        return self

    def facts(self) -> Mapping[str, int]:
        return {"num_words": len(self.vocabulary), "num_images": self.images}

    def objectives(self) -> Mapping[str, Objective]:
        return {HEAD: next_word}

    def targets(self, examples: Sequence[Example]) -> Mapping[str, Column]:
        """ "words": (B, T, 1) the first sentence of each. What training draws and smooths is made by `dataset`."""
        return {HEAD: self._references(examples)}

    def labelled(self, example: Example) -> bool:
        return bool(references_of(example))

    def dataset(self, examples: Sequence[Example], streams: Mapping[str, Column]) -> EncodedDataset:
        """The examples, of which each visit learns one sentence."""
        references = self._references(examples)
        return ReferenceDataset(examples, streams, references, self.shares(examples), self.teaching)

    def shares(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        """(sentences,) the probability of each among its example's; here all alike."""
        counts = [len(references_of(example)) for example in examples]
        return np.concatenate([np.zeros(0), *(np.full(count, 1 / count) for count in counts if count)])

    def decode(self, output: Output, ids: Sequence[str], *, top_k: int = 5) -> list[Prediction]:
        """The best sentences of each example. A probability is the geometric mean over the sentence's words.

        `heads["words"]` is what was written word by word, the end included: rows of the evidence.
        """
        if GENERATED not in output.states:
            raise ValueError("the model's output holds no sentences: it was only taught")
        sentences = output.states[GENERATED][:, :top_k].cpu()
        lengths = (sentences != PAD).sum(-1).clamp(min=1)
        sums = output.states[LOG_PROBABILITIES][:, :top_k].detach().double().cpu()
        probabilities = (sums / lengths).exp().tolist()
        found = []
        for name, row, chances in zip(ids, sentences.tolist(), probabilities, strict=True):
            said = [" ".join(self.vocabulary.spoken(numbers)) for numbers in row]
            best = tuple((text, p) for text, p in zip(said, chances, strict=True) if p > 0)
            if not best and not any(math.isnan(p) for p in chances):
                raise DataError(f"{name}: no sentence obeys the limits of the search; loosen them or take more beams")
            if not best:
                raise DataError(f"the model's scores are NaN for {name}")
            words = [*self.vocabulary.spoken(row[0]), *([SPECIAL[END]] if END in row[0] else [])]
            found.append(Prediction(name, best[0][0], best[0][1], best, {HEAD: words}))
        return found

    def score_of(self, output: Output, answers: Sequence[int]) -> Tensor:
        """(B,) the log-odds of the mean probability of the sentence's words, so that its sigmoid is that."""
        mean = output.scores[HEAD].clamp(max=SURE)
        return mean - torch.log(-torch.expm1(mean))

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """COCO's caption results: a JSON list of {"image_id", "caption"}."""
        found = [{"image_id": _number(p.id), "caption": p.answer} for p in predictions]
        path.write_text(json.dumps(found, ensure_ascii=False) + "\n", encoding="utf-8")

    def save(self, folder: Path) -> None:
        save_state(folder, self.name, self.options, words=self.vocabulary.words)

    @classmethod
    def load(cls, folder: Path) -> Self:
        state = load_state(folder, cls.name, "words")
        task = cls(**state["options"])
        task._vocabulary = task._with_words(state["words"])
        return task

    @abstractmethod
    def _with_words(self, words: Sequence[str]) -> WordVocabulary:
        """The vocabulary of these words."""

    def _references(self, examples: Sequence[Example]) -> ReferenceColumn:
        """All sentences of all examples as numbers."""
        each = [references_of(example) for example in examples]
        flat = iter(self.vocabulary.encode([sentence for sentences in each for sentence in sentences]))
        return ReferenceColumn([[next(flat) for _ in sentences] for sentences in each])


def references_of(example: Example) -> list[str]:
    """The right sentences of an example; none when its answer is unknown or empty. Raises `DataError` for the rest."""
    answer = example.values.get("answer")
    if not is_answered(answer):
        return []
    sentences = [answer] if isinstance(answer, str) else answer
    if not isinstance(sentences, list | tuple) or not all(isinstance(s, str) and s.strip() for s in sentences):
        raise DataError(f"{example.origin or example.id}: {answer!r} is no sentence, and no list of sentences")
    return list(sentences)


def _number(name: str) -> int | str:
    """A number as it is written in full; "007" and "²" stay the names that they are."""
    return int(name) if name.isdecimal() and str(int(name)) == name else name
