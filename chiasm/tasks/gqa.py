"""Compositional questions with one true answer: GQA (Hudson and Manning, CVPR 2019), and the generated world."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from chiasm.data.example import DataError, Example
from chiasm.data.vocabulary import is_missing, text_of
from chiasm.metrics import gqa
from chiasm.metrics.estimate import Estimate
from chiasm.metrics.gqa import Choices
from chiasm.tasks import Prediction
from chiasm.tasks._answers import AnswerTask
from chiasm.tasks._pairing import gold, images_of, paired


class Gqa(AnswerTask):
    """The answer as one of those seen in training (1,842 in GQA).

    - `loss`: "bce", the true answer's probability towards 1 and all others' towards 0, as LXMERT; "ce": as a class
    - `min_count`, `max_size`: how often an answer must occur in training, and how many to keep (0: all)
    - `vocabulary`: a file of answers to use instead, e.g. LXMERT's `trainval_ans2label.json`
    """

    name = "gqa"

    def __init__(
        self, *, loss: Literal["bce", "ce"] = "bce", min_count: int = 1, max_size: int = 0, vocabulary: str = ""
    ) -> None:
        self.options: dict[str, Any] = {
            "loss": loss,
            "min_count": min_count,
            "max_size": max_size,
            "vocabulary": vocabulary,
        }

    def answers(self, examples: Sequence[Example]) -> list[Mapping[str, float] | None]:
        values = [example.values.get("answer") for example in examples]
        return [None if is_missing(value) else {text_of(value): 1.0} for value in values]

    def evaluate(
        self,
        predictions: Sequence[Prediction],
        examples: Sequence[Example],
        *,
        choices: Mapping[str, Choices] | None = None,
        grounding: Mapping[str, float] | None = None,
    ) -> Mapping[str, Estimate]:
        """The official measures (`chiasm.metrics.gqa`).

        Validity and plausibility need `choices` (`read_choices`), by default those that the source read with every
        example (`info["valid"]`, `info["plausible"]`); grounding needs each question's score.
        """
        if choices is None and all("valid" in example.info for example in examples):
            pairs = ((e.id, frozenset(e.info["valid"]), frozenset(e.info["plausible"])) for e in examples)
            choices = {name: Choices(valid, plausible) for name, valid, plausible in pairs}
        given = {p.id: str(p.answer) for p in paired(predictions, examples)}
        answers = gold(examples, self.labelled)
        images = images_of(examples)
        questions = [_question(e, text_of(a), i) for e, a, i in zip(examples, answers, images, strict=True)]
        return gqa.evaluate(questions, given, choices=choices, grounding=grounding)

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """The evaluation server's JSON list: [{"questionId": "201", "prediction": "yes"}, ...]."""
        lines = [{"questionId": p.id, "prediction": str(p.answer)} for p in predictions]
        path.write_text(json.dumps(lines, ensure_ascii=False), encoding="utf-8")


Task = Gqa


def read_choices(path: Path) -> dict[str, Choices]:
    """GQA's `<split>_choices.json`: {question id: {"valid": [...], "plausible": [...]}}. Raises DataError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {i: Choices(frozenset(c["valid"]), frozenset(c["plausible"])) for i, c in content.items()}
    except FileNotFoundError:
        raise DataError(f"the choices file {path} is not there") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is no GQA choices file: {error!r}") from error


def _question(example: Example, answer: str, image: str) -> gqa.Question:
    info, text = example.info, example.values.get("text")
    program = info.get("program") or ()
    return gqa.Question(
        id=example.id,
        answer=answer,
        image=image,
        structural=info.get("structural"),
        semantic=info.get("semantic"),
        detailed=info.get("detailed"),
        group=info.get("group"),
        entailed=tuple(str(e) for e in info.get("entailed") or ()),
        words=len(text.split()) if isinstance(text, str) else None,
        steps=gqa.steps(program) if program else None,
        balanced=bool(info.get("is_balanced", True)),
    )
