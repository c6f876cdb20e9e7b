"""Visual question answering with ten annotators an example: VQA v2 (Goyal et al., CVPR 2017) and data like it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from chiasm.data.answers import normalise_answer, soft_scores
from chiasm.data.example import DataError, Example
from chiasm.data.vocabulary import gold_answers, is_missing, text_of
from chiasm.metrics import vqa
from chiasm.metrics.estimate import Array, Estimate
from chiasm.tasks import Prediction
from chiasm.tasks._answers import AnswerTask
from chiasm.tasks._pairing import gold, images_of, paired

ANNOTATORS = 10  # a single given answer counts as one that all of them gave


class Vqa(AnswerTask):
    """The answer as one of those that are common in training, scored by how many annotators gave it.

    - `loss`: "bce", each answer's probability towards its official score; "ce": only the best answer, as a class;
      "soft_ce": the softmax towards the answers' shares of the scores
    - `min_count`: how often an answer must be the annotators' commonest to be in the vocabulary (3,129 answers of
      VQA v2 train and val for 9)
    - `max_size`: at most so many answers, the commonest; 0: all
    - `vocabulary`: a file of answers to use instead, e.g. LXMERT's `trainval_label2ans.json`
    """

    name = "vqa"

    def __init__(
        self,
        *,
        loss: Literal["bce", "ce", "soft_ce"] = "bce",
        min_count: int = 9,
        max_size: int = 0,
        vocabulary: str = "",
    ) -> None:
        self.options: dict[str, Any] = {
            "loss": loss,
            "min_count": min_count,
            "max_size": max_size,
            "vocabulary": vocabulary,
        }

    def answers(self, examples: Sequence[Example]) -> list[Mapping[str, float] | None]:
        """Each annotator's answer, normalised unless all agree, with its official score."""
        return [_scored(e.values.get("answer"), e.info.get("multiple_choice_answer")) for e in examples]

    def labelled(self, example: Example) -> bool:
        """A list of annotators of whom none answered is no label."""
        return super().labelled(example) and not _silent(example.values.get("answer"))

    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        """The official `accuracy`, also `accuracy/answer/<type>` and `accuracy/question/<type>`."""
        said = [str(prediction.answer) for prediction in paired(predictions, examples)]
        types = {key: [example.info.get(key) for example in examples] for key in ("answer_type", "question_type")}
        return vqa.evaluate(
            _scores(said, gold(examples, self.labelled)),
            answer_types=types["answer_type"],
            question_types=types["question_type"],
            images=images_of(examples),
        )

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """The evaluation server's JSON list: [{"question_id": 1, "answer": "yes"}, ...]. Raises DataError."""
        not_numbers = [p.id for p in predictions if not p.id.isdecimal()]
        if not_numbers:
            raise DataError(f"the official file has whole numbers as question ids; {not_numbers[0]!r} is none")
        lines = [{"question_id": int(p.id), "answer": str(p.answer)} for p in predictions]
        path.write_text(json.dumps(lines, ensure_ascii=False), encoding="utf-8")


Task = Vqa


def _scored(value: Any, multiple_choice: Any) -> Mapping[str, float] | None:
    """{answer: official score}, the annotators' commonest answer first; None when there is no answer."""
    if is_missing(value) or _silent(value):
        return None
    scores = soft_scores(value)
    for commonest in [multiple_choice, *gold_answers(value)]:
        for answer in (str(commonest), normalise_answer(str(commonest))):
            if answer in scores:
                return {answer: scores[answer], **scores}
    return scores


def _silent(value: Any) -> bool:
    """Whether it is a list of annotators of whom none gave an answer."""
    return isinstance(value, list | tuple) and all(map(is_missing, value))


def _scores(said: Sequence[str], answers: Sequence[Any]) -> Array:
    """(n,) the official accuracy of each answer.

    A scored mapping (LXMERT's files) says itself what an answer scores; a single answer stands for ten annotators.
    """
    annotators = [_annotators(value) for value in answers]
    scores = vqa.References(annotators, normalise=normalise_answer).scores(said)
    for i, value in enumerate(answers):
        if isinstance(value, Mapping):
            scores[i] = float(value.get(said[i], 0.0))
    return scores


def _annotators(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [text_of(answer) for answer in value if not is_missing(answer)]
    return [""] if isinstance(value, Mapping) else [text_of(value)] * ANNOTATORS
