"""True or false, by cross-entropy."""

from __future__ import annotations

import json

import torch

from chiasm.data.columns import TensorColumn
from chiasm.metrics.estimate import share
from chiasm.objectives.answers import IGNORE, one_answer
from chiasm.tasks import BaseTask, Prediction


class TwoWay(BaseTask):
    name = "two_way"
    headline = "accuracy"

    def __init__(self, *, flip: bool = False):
        self.options = {"flip": flip}

    def fit(self, examples):
        return self

    def facts(self):
        return {"num_labels": 2, "num_images": 0}

    def objectives(self):
        return {"answer": one_answer}

    def targets(self, examples):
        labels = [example.values.get("answer") for example in examples]
        known = [IGNORE if label is None else int(label) ^ self.options["flip"] for label in labels]
        return {"answer": TensorColumn(torch.tensor(known))}

    def decode(self, output, ids, *, top_k=5):
        best = output.scores["answer"].softmax(1).max(1)
        return [Prediction(name, bool(i), float(p)) for name, i, p in zip(ids, best.indices, best.values, strict=True)]

    def evaluate(self, predictions, examples):
        right = sum(p.answer == e.values["answer"] for p, e in zip(predictions, examples, strict=True))
        return {"accuracy": share(right, len(examples))}

    def submission(self, predictions, path):
        path.write_text("".join(f"{p.id},{p.answer}\n" for p in predictions), encoding="utf-8")

    def save(self, folder):
        (folder / "task.json").write_text(json.dumps(self.options), encoding="utf-8")

    @classmethod
    def load(cls, folder):
        return cls(**json.loads((folder / "task.json").read_text(encoding="utf-8")))


Task = TwoWay
