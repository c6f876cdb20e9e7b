"""How well items match, as tables with names: items of two streams by their affinity, items of one by their ranking.

Evidence of kind "affinity" is a score of every item of one stream with every item of another (within one stream: of
every two images), of kind "ranking" a score of every pair of one stream's items, above the diagonal. Neither sums to 1
as attention does, and either may be below 0; so a table is shaded from its lowest to its highest score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from chiasm.explain.evidence import Maps
from chiasm.explain.explanation import Explanation, View

KINDS = frozenset({"affinity", "ranking"})
IMAGES = frozenset({"regions"})  # streams of which each image has items of its own


@dataclass(frozen=True)
class Matches:
    """Scores of one example: rows and columns are named, `views` says of which image each side's items are."""

    title: str
    kind: str
    query: str
    key: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    scores: NDArray[np.float64]  # (Q, K)
    views: tuple[int | None, int | None] = (None, None)  # None: the items are no part of an image
    images: tuple[int, ...] = (0,)  # which images the scores are about: words may rank otherwise beside another one

    def known(self) -> NDArray[np.bool_]:
        """(Q, K): where there is a score. Of a ranking only above the diagonal."""
        there = np.ones(self.scores.shape, dtype=np.bool_)
        return np.triu(there, 1) if self.kind == "ranking" else there

    def shades(self) -> NDArray[np.float64]:
        """(Q, K) in [0, 1]: 0 is the lowest known score, 1 the highest; 0 where there is none."""
        known = self.known()
        found = self.scores[known]
        if not len(found) or found.max() == found.min():
            return np.zeros(self.scores.shape)
        return np.where(known, (self.scores - found.min()) / (found.max() - found.min()), 0.0)

    def best(self) -> list[int]:
        """Of each row the column with the highest score: a word's region."""
        return [int(column) for column in self.scores.argmax(1)]

    def highest(self, count: int = 5) -> list[tuple[int, int, float]]:
        """The pairs of highest score, the highest first: (row, column, score)."""
        rows, columns = np.nonzero(self.known())
        scores = self.scores[rows, columns]
        order = np.argsort(-scores, kind="stable")[:count]
        return [(int(rows[i]), int(columns[i]), float(scores[i])) for i in order]

    def to_json(self) -> dict[str, Any]:
        """Plain values: the names, the scores, what is highest."""
        named = [[self.rows[i], self.columns[j], score] for i, j, score in self.highest()]
        found: dict[str, Any] = {"title": self.title, "kind": self.kind, "views": list(self.views)}
        found |= {"rows": list(self.rows), "columns": list(self.columns), "scores": self.scores.tolist()}
        found["highest"] = named
        if self.kind == "affinity":
            found["best"] = [self.columns[column] for column in self.best()]
        return found


def matches(explanation: Explanation, names: Sequence[str] | None = None) -> list[Matches]:
    """All tables that the explanation's evidence gives, in its order; `names` are those of one image's regions."""
    found = []
    for one in explanation.maps:
        if one.evidence.kind in KINDS:
            for row, views in enumerate(_views(one, len(explanation.views))):
                found.append(_table(explanation, one, row, views, names))
    return found


def crop(view: View, item: int) -> Image:
    """What is in one box of an image, at least a pixel of it."""
    width, height = view.image.size
    x1, y1, x2, y2 = view.boxes[item].tolist()
    left, top = min(int(x1 * width), width - 1), min(int(y1 * height), height - 1)
    return view.image.crop((left, top, max(left + 1, round(x2 * width)), max(top + 1, round(y2 * height))))


def _views(one: Maps, count: int) -> list[tuple[int | None, int | None]]:
    """Of which images each row of a map is, for both of its sides."""
    rows, query, key = one.layers[0].shape[0], one.evidence.query, one.evidence.key
    if query == key and query in IMAGES and one.evidence.kind == "affinity":
        pairs = list(combinations(range(count), 2))
        if len(pairs) != rows:
            raise ValueError(f"{one.evidence.title}: {rows} tables for {len(pairs)} pairs of {count} images")
        return list(pairs)
    return [(row if query in IMAGES else None, row if key in IMAGES else None) for row in range(rows)]


def _table(
    explanation: Explanation,
    one: Maps,
    row: int,
    views: tuple[int | None, int | None],
    names: Sequence[str] | None,
) -> Matches:
    scores = one.mean()[row].double().cpu().numpy()
    sides = (one.evidence.query, one.evidence.key)
    called = [
        _names(explanation, stream, size, view, names)
        for stream, size, view in zip(sides, scores.shape, views, strict=True)
    ]
    return Matches(
        one.evidence.title + _which(views, row, one.layers[0].shape[0]),
        one.evidence.kind,
        *sides,
        called[0],
        called[1],
        scores[: len(called[0]), : len(called[1])],
        views,
        tuple(sorted({row} if None in views else set(views))),  # type: ignore[arg-type]  # no None is left
    )


def _which(views: tuple[int | None, int | None], row: int, rows: int) -> str:
    """Said after a title: which image or images, where there are several."""
    first, second = views
    if first is not None and second is not None and first != second:
        return f": images {first + 1} and {second + 1}"
    return f": image {row + 1}" if rows > 1 else ""


def _names(
    explanation: Explanation, stream: str, size: int, view: int | None, names: Sequence[str] | None
) -> tuple[str, ...]:
    """What the rows or columns are called; those of an image as many as it has boxes."""
    if view is None or view >= len(explanation.views):
        return tuple(explanation.item_names(stream, size))
    count = min(size, len(explanation.views[view].boxes))
    if names is not None and len(names) == count:
        return tuple(names)
    return tuple(str(number + 1) for number in range(count))
