"""A number for each row: a price, a rating, a polarity."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chiasm.batch import Output
from chiasm.data.columns import Column, TensorColumn
from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.vocabulary import is_missing
from chiasm.metrics import regression
from chiasm.metrics.estimate import Estimate
from chiasm.objectives import Objective
from chiasm.objectives.answers import number
from chiasm.tasks import BaseTask, Prediction
from chiasm.tasks._decoding import scores_of
from chiasm.tasks._pairing import gold, images_of, load_state, paired, save_state


class Regress(BaseTask):
    """One real number per example, learnt by squared error.

    `standardise`: the model learns (answer - mean) / deviation of the training answers, so that its scale does not
    matter; answers and metrics are in the unit of the data. `images`: how many images a row has.
    """

    name = "regress"
    headline = "r2"

    def __init__(self, *, standardise: bool = True, images: int = 1) -> None:
        self.options: dict[str, Any] = {"standardise": standardise, "images": images}
        self.images = images
        self.mean, self.deviation = 0.0, 1.0

    def fit(self, examples: Sequence[Example]) -> Self:
        """Learn mean and standard deviation. Raises DataError when no example has a number."""
        values = _numbers(examples)
        known = values[~np.isnan(values)]
        if not len(known):
            raise DataError(f"none of the {len(examples)} training examples has a number to learn")
        if self.options["standardise"]:
            self.mean, self.deviation = float(known.mean()), float(known.std()) or 1.0
        return self

    def facts(self) -> Mapping[str, int]:
        return {"num_labels": 1, "num_images": self.images}

    def objectives(self) -> Mapping[str, Objective]:
        return {"answer": number}

    def targets(self, examples: Sequence[Example]) -> Mapping[str, Column]:
        """ "answer": (B,) float32, NaN where there is no answer. Raises RowError for what is not a number."""
        values = (_numbers(examples) - self.mean) / self.deviation
        return {"answer": TensorColumn(torch.from_numpy(values).float())}

    def decode(self, output: Output, ids: Sequence[str], *, top_k: int = 5) -> list[Prediction]:
        """The predicted numbers; there are no runners-up."""
        values = scores_of(output, "answer", ids, 1)[:, 0].double() * self.deviation + self.mean
        return [Prediction(name, value, 1.0) for name, value in zip(ids, values.tolist(), strict=True)]

    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        """`mae`, `rmse`, `r2`, `pearson`; intervals resample images."""
        answers = [float(p.answer) for p in paired(predictions, examples)]
        gold(examples, self.labelled)
        return regression.evaluate(_numbers(examples), answers, groups=images_of(examples))

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """CSV: id, answer."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "answer"])
            writer.writerows([p.id, p.answer] for p in predictions)

    def score_of(self, output: Output, answers: Sequence[int]) -> Tensor:
        """(B,) the standardised number, whatever `answers` says."""
        return output.scores["answer"].reshape(len(answers))

    def save(self, folder: Path) -> None:
        save_state(folder, self.name, self.options, mean=self.mean, deviation=self.deviation)

    @classmethod
    def load(cls, folder: Path) -> Self:
        state = load_state(folder, cls.name, "mean", "deviation")
        task = cls(**state["options"])
        task.mean, task.deviation = float(state["mean"]), float(state["deviation"])
        return task


Task = Regress


def _numbers(examples: Sequence[Example]) -> NDArray[np.float64]:
    """(n,) the answers as numbers, NaN where there is none. Raises RowError naming what is not a finite number."""
    values, errors = np.full(len(examples), math.nan), []
    for i, example in enumerate(examples):
        answer: Any = example.values.get("answer")
        if is_missing(answer) or answer == "":
            continue
        try:
            values[i] = float(answer)
        except (TypeError, ValueError):
            values[i] = math.nan
        if not math.isfinite(values[i]):
            reason = f"the answer {answer!r} is not a finite number; leave it empty when it is unknown"
            errors.append(RowError(reason, origin=example.origin, row_id=example.id))
    raise_rows(errors)
    return values
