"""Is the statement true of the images? NLVR2 (Suhr et al., ACL 2019), two images; NLVR (Suhr et al., ACL 2017), one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor

from chiasm.batch import Output
from chiasm.data.answers import Targets, build_targets
from chiasm.data.columns import Column
from chiasm.data.example import DataError, Example
from chiasm.data.vocabulary import IGNORE
from chiasm.metrics import nlvr
from chiasm.metrics.estimate import Estimate
from chiasm.objectives import Objective
from chiasm.objectives.answers import one_answer, yes_or_no
from chiasm.tasks import BaseTask, Prediction
from chiasm.tasks._answers import HEAD, checked
from chiasm.tasks._decoding import ranked, score_of_yes, scores_of, two_answers
from chiasm.tasks._pairing import gold, images_of, load_state, paired, save_state

LABELS = (False, True)  # in the order of the scores


class Nlvr(BaseTask):
    """True or false, of a statement.

    - `loss`: "ce", two scores and cross-entropy, as LXMERT; "bce": one score and binary cross-entropy
    - `images`: how many images an example has: 2 in NLVR2, 1 in NLVR
    """

    name = "nlvr"
    headline = "accuracy"

    def __init__(self, *, loss: Literal["ce", "bce"] = "ce", images: int = 2) -> None:
        self.options: dict[str, Any] = {"loss": loss, "images": images}
        self.images = images

    def fit(self, examples: Sequence[Example]) -> Self:
        """Check that both truth values occur, since nothing can be learnt from one. Raises DataError."""
        missing = set(LABELS) - {label for label in _truths(examples) if label is not None}
        if missing:
            without = " nor ".join(str(label) for label in sorted(missing))
            raise DataError(f"none of the {len(examples)} training examples is labelled {without}")
        return self

    def facts(self) -> Mapping[str, int]:
        return {"num_labels": self._size, "num_images": self.images}

    def objectives(self) -> Mapping[str, Objective]:
        return {HEAD: one_answer if self.options["loss"] == "ce" else yes_or_no}

    def targets(self, examples: Sequence[Example]) -> Mapping[str, Column]:
        """ "answer": (B,) int64, 1 for true, 0 for false. Raises DataError when no answer is a truth value."""
        return {HEAD: checked(_targets(examples))}

    def decode(self, output: Output, ids: Sequence[str], *, top_k: int = 5) -> list[Prediction]:
        scores = scores_of(output, HEAD, ids, self._size)
        both = scores if self._size == 2 else two_answers(scores)
        return ranked(both.softmax(1), LABELS, ids, top_k)

    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        """The official `accuracy`, and `consistency` where examples say which statement they share.

        They do by `info["sentence_group"]`, or by an identifier of NLVR2's form.
        """
        said = [prediction.answer for prediction in paired(predictions, examples)]
        gold(examples, self.labelled)
        correct = [answer == truth for answer, truth in zip(said, _truths(examples), strict=True)]
        identifiers = [str(example.info.get("identifier", example.id)) for example in examples]
        paired_images = all(len(identifier.split("-")) == 4 for identifier in identifiers)
        sentences = [e.info.get("sentence_group") for e in examples]
        if None in sentences:
            sentences = [nlvr.sentence_of(i) for i in identifiers] if paired_images else []
        sets = [nlvr.image_set_of(i) for i in identifiers] if paired_images else images_of(examples)
        families = [example.info.get("family") for example in examples]
        return nlvr.evaluate(correct, [str(s) for s in sentences] or None, sets, families)

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """The official CSV, a line each: identifier,True or identifier,False."""
        lines = [f"{prediction.id},{bool(prediction.answer)}\n" for prediction in predictions]
        path.write_text("".join(lines), encoding="utf-8")

    def score_of(self, output: Output, answers: Sequence[int]) -> Tensor:
        scores = output.scores[HEAD]
        return super().score_of(output, answers) if self._size == 2 else score_of_yes(scores, answers)

    def save(self, folder: Path) -> None:
        save_state(folder, self.name, self.options)

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(**load_state(folder, cls.name)["options"])

    @property
    def _size(self) -> int:
        return 2 if self.options["loss"] == "ce" else 1


Task = Nlvr


def _targets(examples: Sequence[Example]) -> Targets:
    return build_targets("binary", [example.values.get("answer") for example in examples])


def _truths(examples: Sequence[Example]) -> list[bool | None]:
    """The labels as truth values, read as the targets are; None where a label is neither."""
    numbers = _targets(examples).column.gather(torch.arange(len(examples)))
    assert isinstance(numbers, Tensor)
    return [None if number == IGNORE else bool(number) for number in numbers.tolist()]
