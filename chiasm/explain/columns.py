"""Why a row of text and table got its answer: the share of each modality and of each column.

- A modality's share is what the answer's probability loses when that modality alone is hidden (drop-one).
- A column's is what its score loses when that column alone is hidden (leave one out), beside the faithfulness score of
  that ranking and of random ones.
- Gates and attention weights of the combining method are what the model recorded on its way.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chiasm.data.columns import EncodedDataset
from chiasm.data.example import Example
from chiasm.data.table import Preprocess
from chiasm.explain.evidence import observe
from chiasm.explain.faithfulness import Faithfulness, faithfulness
from chiasm.explain.methods import leave_one_out
from chiasm.explain.probe import Probe, answering, hide, items, probe
from chiasm.metrics.estimate import Estimate
from chiasm.tasks import Prediction
from chiasm.training.bundle import Bundle
from chiasm.training.predict import predict

MODALITIES = ("text", "numbers", "categories")


@dataclass(frozen=True)
class ColumnShare:
    """One table column of one row: its cell, and what the answer's score loses without it."""

    column: str
    cell: Any
    relevance: float


@dataclass(frozen=True)
class RowExplanation:
    """One row's answer and what it rests on."""

    prediction: Prediction
    modalities: Mapping[str, float]  # what the answer's probability loses when the modality is hidden
    columns: tuple[ColumnShare, ...]  # in the table's order
    text: float  # what the answer's score loses without any word
    gates: Mapping[str, tuple[float, ...]]  # title -> the mean gate, or the weights of text, categories, numbers
    faithfulness: Faithfulness | None  # of the columns' ranking; None for fewer than two columns

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.prediction.id,
            "answer": self.prediction.answer,
            "probability": self.prediction.probability,
            "modalities": dict(self.modalities),
            "text": self.text,
            "columns": [{"column": c.column, "cell": c.cell, "relevance": c.relevance} for c in self.columns],
            "gates": {title: list(values) for title, values in self.gates.items()},
            "faithfulness": None if self.faithfulness is None else self.faithfulness.to_json(),
        }


def explain_row(bundle: Bundle, example: Example, *, random_orders: int = 10, seed: int = 0) -> RowExplanation:
    """The bundle's answer to one row, explained. Raises `RowError` for a row that cannot be read."""
    question = probe(bundle.model, bundle.task, bundle.dataset([example])[0])
    output, maps = observe(bundle.model, question.batch)
    (prediction,) = bundle.task.decode(output, [example.id])
    there = float(question.probability(output))
    with answering(bundle.model), torch.no_grad():
        without = {name: bundle.model(batch) for name, batch in _without_each(question).items()}
    relevance = leave_one_out.attribute(question).get("table")
    return RowExplanation(
        prediction=prediction,
        modalities={name: there - float(question.probability(found)) for name, found in without.items()},
        columns=_shares(bundle, example, relevance),
        text=question.unchanged - float(question.score(without["text"])) if "text" in without else 0.0,
        gates={m.evidence.title: _summary(m.layers[0]) for m in maps if m.evidence.kind == "gate"},
        faithfulness=None
        if relevance is None
        else faithfulness(question, "table", relevance, random_orders=random_orders, seed=seed),
    )


def modality_contributions(
    bundle: Bundle, examples: Sequence[Example], *, batch_size: int = 256
) -> dict[str, Mapping[str, Estimate]]:
    """The task's metrics of all rows as they are ("all"), and with each modality hidden in turn."""
    whole = bundle.dataset(examples)
    hidden = {name: _Hidden(whole, name) for name in MODALITIES if _hidden(whole[0], name) is not None}
    found = {}
    for name, dataset in {"all": whole, **hidden}.items():
        answers = predict(bundle.model, bundle.task, dataset, batch_size=batch_size)
        found[name] = bundle.task.evaluate(answers, dataset.examples)
    return found


def draw_columns(explained: RowExplanation) -> bytes:
    """A PNG: bars of the text and of every column, the largest on top, with the cells' values beside them."""
    from matplotlib.figure import Figure

    bars = [(f"{c.column} = {_shown(c.cell)}", c.relevance) for c in explained.columns]
    bars = sorted([("(text)", explained.text), *bars], key=lambda bar: abs(bar[1]))
    figure = Figure(figsize=(8, 1.2 + 0.32 * len(bars)), layout="constrained")
    axes = figure.add_subplot()
    colours = ["#2b6cb0" if value >= 0 else "#c05621" for _, value in bars]
    axes.barh([name for name, _ in bars], [value for _, value in bars], color=colours)
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_xlabel(f"what the score of {explained.prediction.answer!r} loses without it")
    if explained.faithfulness is not None:
        score, chance = explained.faithfulness.area, explained.faithfulness.random
        axes.set_title(
            f"faithfulness of the columns {score:+.3f}; random {chance.low:+.3f} to {chance.high:+.3f}", fontsize=9
        )
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


class _Hidden(EncodedDataset):
    """Another data set whose batches lack one modality."""

    def __init__(self, dataset: EncodedDataset, modality: str) -> None:
        super().__init__(dataset.examples, dataset.streams, dataset.targets)
        self.modality = modality

    def batch(self, positions: Tensor) -> Any:
        batch = super().batch(positions)
        hidden = _hidden(batch, self.modality)
        return batch if hidden is None else hide(batch, *hidden)


def _without_each(question: Probe) -> dict[str, Any]:
    """Modality -> the batch without it, for those that are there."""
    hidden = {name: _hidden(question.batch, name) for name in MODALITIES}
    return {name: hide(question.batch, *found) for name, found in hidden.items() if found is not None}


def _hidden(batch: Any, modality: str) -> tuple[str, Tensor] | None:
    """(stream, items to hide) for one modality; None when the batch does not have it."""
    stream = "text" if modality == "text" else "table"
    found = getattr(batch, stream)
    there = None if found is None else items(found)
    if there is None:
        return None
    if modality != "text":
        numbers = batch.table.numbers.shape[1]
        is_number = torch.arange(there.shape[1], device=there.device) < numbers
        there = there & (is_number if modality == "numbers" else ~is_number)
    return (stream, there) if there.any() or modality == "text" else None


def _shares(bundle: Bundle, example: Example, relevance: Tensor | None) -> tuple[ColumnShare, ...]:
    table = bundle.preprocessors.get("table")
    if relevance is None or not isinstance(table, Preprocess):
        return ()
    cells = example.values["table"]
    named = zip(table.column_names, relevance[0].tolist(), strict=True)
    return tuple(ColumnShare(name, cells.get(name), value) for name, value in named)


def _summary(gate: Tensor) -> tuple[float, ...]:
    """(1, 1, 1, K) -> weights of few items as they are, of many dimensions their mean."""
    values = gate.flatten()
    return tuple(values.tolist()) if len(values) <= len(MODALITIES) else (float(values.mean()),)


def _shown(cell: object) -> str:
    text = "missing" if cell is None else str(cell)
    return text if len(text) <= 24 else f"{text[:21]}..."
