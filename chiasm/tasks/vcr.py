"""Four answers, and four rationales of the right one: VCR (Zellers et al., CVPR 2019)."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor

from chiasm.batch import Output
from chiasm.data.choices import right_choice
from chiasm.data.columns import Column, TensorColumn
from chiasm.data.example import DataError, Example
from chiasm.metrics import vcr
from chiasm.metrics.estimate import Estimate
from chiasm.objectives import Objective
from chiasm.objectives.answers import IGNORE, one_answer
from chiasm.tasks import BaseTask, Prediction
from chiasm.tasks._pairing import images_of, load_state, paired, save_state

CHOICES = 4
PARTS = ("answer", "rationale")
SIZES = (CHOICES, CHOICES * CHOICES)  # of rationales' scores: given one answer, or given each
Ask = Literal["both", "answer", "rationale"]


class Vcr(BaseTask):
    """Which answer (Q->A), which rationale of the right answer (QA->R), both (Q->AR).

    `ask`: "both" trains one model with a head for each; "answer" or "rationale" one model for one of them. The
    section `[choices]` must prepare the same: rationales "given", "none" or "only".

    A prediction's `answer` is the number of the chosen answer (with "rationale" that of the rationale); `heads` has
    "answer" and "rationale" with the probabilities of all. Where the true answer is unknown, rationales are scored
    given each answer, 16 in all, and the one said is that of the answer said.
    """

    name = "vcr"

    def __init__(self, *, ask: Ask = "both") -> None:
        self.options: dict[str, Any] = {"ask": ask}
        self.parts = PARTS if ask == "both" else (ask,)
        self.headline = vcr.BOTH if ask == "both" else vcr.NAMES[ask]

    def fit(self, examples: Sequence[Example]) -> Self:
        """Nothing is learnt. Raises DataError when not one example says what is right."""
        for part in self.parts:
            if all(right_choice(example, CHOICES, part) is None for example in examples):
                raise DataError(f"none of the {len(examples)} training examples says the right {part}")
        return self

    def facts(self) -> Mapping[str, int]:
        return {"num_choices": CHOICES, "num_images": self.images}

    def objectives(self) -> Mapping[str, Objective]:
        return dict.fromkeys(self.parts, one_answer)

    def targets(self, examples: Sequence[Example]) -> Mapping[str, Column]:
        """ "answer" and "rationale": (B,) int64 numbers of the right ones."""
        found = {part: [right_choice(example, CHOICES, part) for example in examples] for part in self.parts}
        return {
            part: TensorColumn(torch.tensor([IGNORE if n is None else n for n in numbers], dtype=torch.int64))
            for part, numbers in found.items()
        }

    def labelled(self, example: Example) -> bool:
        return all(right_choice(example, CHOICES, part) is not None for part in self.parts)

    def decode(self, output: Output, ids: Sequence[str], *, top_k: int = 5) -> list[Prediction]:
        scores = {part: _scores(output, part, ids) for part in self.parts}
        said: Tensor | None = None
        heads: list[dict[str, Any]] = [{} for _ in ids]
        for part, values in scores.items():
            blocks = values.unflatten(1, (-1, CHOICES)).softmax(-1)  # (B, 1 or CHOICES, CHOICES)
            if said is None and blocks.shape[1] > 1:
                raise DataError("rationales alone are asked, of a right answer that the examples do not name")
            which = said if said is not None and blocks.shape[1] > 1 else torch.zeros(len(ids), dtype=torch.int64)
            chosen = blocks[torch.arange(len(ids)), which]
            said = chosen.argmax(1)
            for head, number, block in zip(heads, said.tolist(), blocks.tolist(), strict=True):
                head[part] = {"number": number, "probabilities": block if len(block) > 1 else block[0]}
        return [_prediction(name, head, self.parts[0], top_k) for name, head in zip(ids, heads, strict=True)]

    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        """`q_to_a`, `qa_to_r`, `q_to_ar`, as far as they are asked. Raises DataError without the right numbers."""
        heads = [prediction.heads for prediction in paired(predictions, examples)]
        right = {}
        for part in self.parts:
            true = [right_choice(example, CHOICES, part) for example in examples]
            if None in true:
                raise DataError(f"example {examples[true.index(None)].id} does not say the right {part}")
            right[part] = [head[part]["number"] == number for head, number in zip(heads, true, strict=True)]
        return vcr.evaluate(right, images_of(examples))

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """The leaderboard's CSV: annot_id, four probabilities of answers, four of rationales given each answer.

        Raises DataError when rationales were not scored given each answer, as they are for examples without labels.
        """
        columns = [f"answer_{i}" for i in range(CHOICES)]
        columns += [f"rationale_conditioned_on_a{a}_{i}" for a in range(CHOICES) for i in range(CHOICES)]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["annot_id", *columns])
            for prediction in predictions:
                writer.writerow([prediction.id, *_submitted(prediction)])

    def score_of(self, output: Output, answers: Sequence[int]) -> Tensor:
        """(B,) the score of each example's given choice in the first part."""
        scores = output.scores[self.parts[0]]
        return scores.gather(1, scores.new_tensor(answers).long()[:, None]).squeeze(1)

    def save(self, folder: Path) -> None:
        save_state(folder, self.name, self.options)

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(**load_state(folder, cls.name)["options"])


Task = Vcr


def _scores(output: Output, part: str, ids: Sequence[str]) -> Tensor:
    """(B, 4), or (B, 16) of rationales given each answer; float32 on the CPU."""
    if part not in output.scores:
        raise ValueError(f"the model gives no head {part!r}; it gives {', '.join(output.scores)}")
    scores = output.scores[part].detach().float().cpu()
    sizes = SIZES if part == "rationale" else SIZES[:1]
    if scores.ndim != 2 or len(scores) != len(ids) or scores.shape[1] not in sizes:
        raise ValueError(f"head {part!r} scored {tuple(scores.shape)} for {len(ids)} examples of {CHOICES} choices")
    bad = [name for name, row in zip(ids, scores.isnan().any(1).tolist(), strict=True) if row]
    if bad:
        raise DataError(f"the model's scores are NaN for {', '.join(bad[:5])} ({len(bad)} of {len(ids)} examples)")
    return scores


def _prediction(name: str, heads: Mapping[str, Any], main: str, top_k: int) -> Prediction:
    said = heads[main]
    flat = said["probabilities"]
    values = flat if isinstance(flat[0], float) else flat[0]
    ranked = sorted(enumerate(values), key=lambda pair: -pair[1])[:top_k]
    return Prediction(name, said["number"], values[said["number"]], tuple(ranked), heads)


def _submitted(prediction: Prediction) -> list[float]:
    heads = prediction.heads
    rationales = heads.get("rationale", {}).get("probabilities", [])
    if "answer" not in heads or len(rationales) != CHOICES or isinstance(rationales[0], float):
        raise DataError(
            "the official file needs answers, and rationales given each of the four answers: ask for both "
            "(task.ask), of examples without labels"
        )
    return [*heads["answer"]["probabilities"], *(value for block in rationales for value in block)]
