"""A bundle as the service knows it: a name, what it needs, and answers, regions and evidence as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from chiasm.batch import Regions
from chiasm.data.example import BadRows, DataError, Example, RowError
from chiasm.data.table import Preprocess as TablePreprocess
from chiasm.explain.attribution import METHODS
from chiasm.report.tables import to_plain
from chiasm.serve.evidence import evidence_of
from chiasm.serve.predictor import PredictionError, Predictor
from chiasm.serve.remembered import remember_regions
from chiasm.tasks import Prediction

ROLES = frozenset({"text", "images", "table", "graph", "dialogue"})  # what a request can hold


class ServeError(Exception):
    """A bundle that cannot be served, or a name that is not one of them."""


@dataclass(frozen=True)
class Served:
    """One bundle under its name. Its methods run in the batcher's thread, one at a time."""

    name: str
    predictor: Predictor
    examples: tuple[Mapping[str, Any], ...] = ()  # rows to try, as a request holds them, with "expected"

    def __post_init__(self) -> None:
        roles = {p.role for p in self.predictor.bundle.preprocessors.values()}
        if roles - ROLES:
            raise ServeError(f"{self.name} reads {', '.join(sorted(roles - ROLES))}, which no request can hold")

    def answer(self, rows: Sequence[tuple[Example, int]]) -> list[Prediction | PredictionError]:
        """The answer to each (row, how many answers are wanted), in order, from one pass where they fit."""
        most = max(top_k for _, top_k in rows)
        asked = [row for row, _ in rows]
        try:
            found = list(self.predictor.predict(asked, top_k=most, on_error="skip", batch_size=len(rows)))
        except DataError as error:  # of all rows together, e.g. none has a column: said of each
            if len(rows) == 1:
                return [PredictionError(asked[0].id, str(error))]
            return [answer for row in rows for answer in self.answer([row])]
        return [
            replace(one, alternatives=one.alternatives[:top_k]) if isinstance(one, Prediction) else one
            for one, (_, top_k) in zip(found, rows, strict=True)
        ]

    def find_regions(self, row: Example) -> list[dict[str, Any]]:
        """The regions that the bundle finds in each picture of the row, as `schemas.View`. Raises `RowError`."""
        images = row.values["images"]
        boxes: list[list[list[float]]] = [[] for _ in images]
        if "regions" in self.predictor.bundle.preprocessors:
            column = self.predictor.bundle.preprocessors["regions"].encode([row])
            found = column.gather(torch.tensor([0]))
            assert isinstance(found, Regions)
            boxes = _boxes(found, len(images))
        return [
            {"width": image.width, "height": image.height, "boxes": of_image}
            for image, of_image in zip(images, boxes, strict=True)
        ]

    def explain(self, row: Example, *, methods: Sequence[str] | None, top_k: int, attention: bool) -> dict[str, Any]:
        """The answer with its evidence, as plain values. Raises `RowError`, `UnknownName`."""
        explanation = self.predictor.explain(**row.values, id=row.id, methods=methods or self.methods, top_k=top_k)
        columns = self._table.column_names if self._table else ()
        found = evidence_of(explanation, columns=columns, every_head=attention)
        return {"bundle": self.name, **found, "answer": self.answer_json(explanation.prediction)}

    def answer_json(self, answer: Prediction | PredictionError) -> dict[str, Any]:
        """An answer as `schemas.Answer`, a failure as `schemas.Failure`."""
        if isinstance(answer, PredictionError):
            return {"id": answer.id, "error": answer.reason}
        alternatives = answer.alternatives or ((answer.answer, answer.probability),)
        plain: dict[str, Any] = to_plain(
            {
                "id": answer.id,
                "bundle": self.name,
                "answer": answer.answer,
                "probability": answer.probability,
                "alternatives": [{"answer": a, "probability": p} for a, p in alternatives],
                "heads": dict(answer.heads),
            }
        )
        return plain

    @property
    def methods(self) -> tuple[str, ...]:
        """The attribution methods that are used when none is named: those of gradients, and for tables leaving out."""
        return ("leave_one_out",) if self._table else METHODS

    def describe(self) -> dict[str, Any]:
        """What a client has to know: what the bundle is, needs and gives."""
        bundle = self.predictor.bundle
        return {
            "name": self.name,
            "title": bundle.recipe.title,
            "model": bundle.recipe.model,
            "task": bundle.task.name,
            "generated": bool(bundle.metrics.get("generated_world")),
            "needs": sorted({p.role for p in bundle.preprocessors.values()}),
            "images": self.predictor.num_images,
            "finds_regions": "regions" in bundle.preprocessors,
            "columns": self._columns(),
            "evidence": [
                {"title": e.title, "kind": e.kind, "query": e.query, "key": e.key} for e in bundle.model.evidence()
            ],
            "methods": list(self.methods),
            "measured": self._measured(),
            "examples": len(self.examples),
        }

    @property
    def _table(self) -> TablePreprocess | None:
        found = self.predictor.bundle.preprocessors.get("table")
        return found if isinstance(found, TablePreprocess) else None

    def _measured(self) -> dict[str, Any] | None:
        """The headline metric of the run, on its test split where it has one; None when nothing was measured."""
        bundle = self.predictor.bundle
        by_split = bundle.metrics.get("metrics", {})
        for split in ("test", "validation"):
            if found := by_split.get(split, {}).get(bundle.task.headline):
                return {"metric": bundle.task.headline, "split": split, **to_plain(found)}
        return None

    def _columns(self) -> list[dict[str, Any]]:
        """The table's columns: numbers, and categories with their classes."""
        if self._table is None:
            return []
        return [{"name": name, "classes": self._table.classes.get(name)} for name in self._table.column_names]


def _boxes(regions: Regions, count: int) -> list[list[list[float]]]:
    """The real boxes of each of the row's pictures; one that is there twice has one row in the batch."""
    index = list(range(count)) if regions.index is None else regions.index[0].tolist()
    mask = regions.attention_mask
    kept = [regions.boxes[i] if mask is None else regions.boxes[i][mask[i]] for i in index]
    return [[[round(value, 5) for value in box] for box in boxes.tolist()] for boxes in kept]


def serve_all(folders: Iterable[str | Path], *, device: str = "cpu") -> list[Served]:
    """The bundles in `folders`, each under its recipe's name, or under NAME of "NAME=FOLDER".

    Raises `BundleError`, and `ServeError` for a bundle that cannot be served.
    """
    found: dict[str, Served] = {}
    for given in folders:
        said, equals, folder = str(given).partition("=")
        if not equals or Path(str(given)).exists():
            said, folder = "", str(given)
        predictor = Predictor.load(folder, device=device)
        remember_regions(predictor.bundle)
        name = said or predictor.bundle.recipe.name or Path(folder).name
        number = 2
        while (name if number == 2 else f"{name}-{number - 1}") in found:
            number += 1
        name = name if number == 2 else f"{name}-{number - 1}"
        found[name] = Served(name, predictor)
    return list(found.values())


def named(served: Sequence[Served], name: str | None) -> Served:
    """The bundle `name`, the first one for None. Raises `ServeError`."""
    if name is None:
        return served[0]
    for one in served:
        if one.name == name:
            return one
    raise ServeError(f"there is no bundle {name!r}; there are: {', '.join(one.name for one in served)}")


def reason_of(error: Exception) -> str:
    """What is wrong with the one row that was asked about."""
    if isinstance(error, BadRows):
        return "; ".join(dict.fromkeys(row.reason for row in error.rows))
    return error.reason if isinstance(error, RowError) else str(error)
