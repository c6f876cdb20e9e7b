"""A small world with a known reason for every answer, and a small LXMERT that has learnt it.

An image has four things. A thing's features say its shape (8 of them, one-hot) and its colour (4, one-hot); the text
is "[CLS] what colour <shape> please [SEP]"; the answer is the colour of the thing of that shape. So exactly one word
and one region matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from chiasm.batch import Batch, Output, Regions, Text
from chiasm.data.columns import Column
from chiasm.data.example import Example
from chiasm.metrics.estimate import Estimate, share
from chiasm.models.lxmert import Config, Lxmert
from chiasm.objectives import Objective
from chiasm.objectives.answers import one_answer
from chiasm.tasks import BaseTask, Prediction

SHAPES, COLOURS, THINGS = 8, 4, 4
CLS, SEP, WHAT, COLOUR, PLEASE, FIRST_SHAPE = 1, 2, 3, 4, 5, 6
ASKED = 3  # position of the shape's word
NAMES = ("red", "green", "blue", "gray")


class ColourTask(BaseTask):
    """Which of four colours."""

    name = "colour"
    headline = "accuracy"
    options: Mapping[str, Any] = {}  # type: ignore[assignment]

    def fit(self, examples: Sequence[Example]) -> Self:
        return self

    def facts(self) -> Mapping[str, int]:
        return {"num_labels": COLOURS}

    def objectives(self) -> Mapping[str, Objective]:
        return {"answer": one_answer}

    def targets(self, examples: Sequence[Example]) -> Mapping[str, Column]:
        return {}

    def decode(self, output: Output, ids: Sequence[str], *, top_k: int = 5) -> list[Prediction]:
        found = []
        for name, row in zip(ids, output.scores["answer"].softmax(-1), strict=True):
            best = [(NAMES[i], float(row[i])) for i in row.argsort(descending=True).tolist()[:top_k]]
            found.append(Prediction(name, best[0][0], best[0][1], tuple(best)))
        return found

    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        right = sum(p.answer == e.values["answer"] for p, e in zip(predictions, examples, strict=True))
        return {"accuracy": share(right, len(examples))}

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> Self:
        raise NotImplementedError


def sample(size: int, generator: torch.Generator) -> tuple[Batch, Tensor]:
    """A batch of `size` examples with targets, and (B,) the region that is asked about."""
    shapes = torch.stack([torch.randperm(SHAPES, generator=generator)[:THINGS] for _ in range(size)])
    colours = torch.randint(0, COLOURS, (size, THINGS), generator=generator)
    asked = torch.randint(0, THINGS, (size,), generator=generator)
    features = torch.cat(
        [torch.nn.functional.one_hot(shapes, SHAPES), torch.nn.functional.one_hot(colours, COLOURS)], -1
    ).float()
    corner = torch.rand(size, THINGS, 2, generator=generator) * 0.7
    boxes = torch.cat([corner, corner + 0.3], -1)
    rows = torch.arange(size)
    ids = torch.tensor([CLS, WHAT, COLOUR, 0, PLEASE, SEP]).repeat(size, 1)
    ids[:, ASKED] = FIRST_SHAPE + shapes[rows, asked]
    return (
        Batch(
            text=Text(ids, torch.ones_like(ids, dtype=torch.bool)),
            regions=Regions(features, boxes, torch.ones(size, THINGS, dtype=torch.bool)),
            targets={"answer": colours[rows, asked]},
            ids=tuple(f"e{i}" for i in range(size)),
        ),
        asked,
    )


def small_model(**changes: Any) -> Lxmert:
    """An LXMERT of 1 language, 1 object and 2 cross layers, untrained, the same each time."""
    sizes = {"hidden_size": 48, "num_attention_heads": 4, "intermediate_size": 96, "hidden_dropout": 0.0}
    depth = {"language_layers": 1, "object_layers": 1, "cross_layers": 2, "attention_dropout": 0.0}
    data = {"vocab_size": FIRST_SHAPE + SHAPES, "feature_size": SHAPES + COLOURS, "num_labels": COLOURS}
    torch.manual_seed(0)
    return Lxmert(Config(**{**sizes, **depth, **data, "padding_idx": False, **changes}), {"answer": one_answer})


def trained_model(steps: int = 160) -> Lxmert:
    """The small model after it has learnt the world (a few seconds)."""
    model, generator = small_model(initializer_range=0.1), torch.Generator().manual_seed(1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * min(1.0, (step + 1) / 40) * (1 - step / steps)
        batch, _ = sample(64, generator)
        optimiser.zero_grad()
        model.losses(model(batch), batch)["answer"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model.eval()
