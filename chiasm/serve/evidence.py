"""An explanation as plain values for a page that lets a person look at every word, region, layer and head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from chiasm.explain.attribution import Attribution
from chiasm.explain.evidence import Maps
from chiasm.explain.explanation import Explanation
from chiasm.report.tables import to_plain

DIGITS = 4  # of an attention weight
LARGEST = 1_000_000  # weights of one map that are told head by head: 7 MB of JSON


def evidence_of(explanation: Explanation, *, columns: Sequence[str] = (), every_head: bool = False) -> dict[str, Any]:
    """The words, regions, attributions with their faithfulness scores, and attention of one explained answer.

    Weights of attention are lists: `mean` [view][query][key], and with `every_head` also `weights`
    [layer][view][head][query][key]; of a map of more than `LARGEST` weights the heads are averaged there. `columns`
    name the items of a table.
    """
    words = [{"text": w.text, "positions": list(w.positions), "space": w.space} for w in explanation.words()]
    patches = any("images" in (one.evidence.query, one.evidence.key) for one in explanation.maps)
    found = {
        "text": explanation.text,
        "tokens": list(explanation.tokens),
        "words": words,
        "views": [
            {
                "width": view.image.width,
                "height": view.image.height,
                "boxes": [[round(v, 5) for v in box] for box in view.boxes.tolist()],
                "patches": patches,
            }
            for view in explanation.views
        ],
        "columns": list(columns),
        "attributions": [_attribution(explanation, one, columns) for one in explanation.attributions],
        "attention": [_maps(explanation, one, every_head) for one in explanation.maps],
    }
    plain: dict[str, Any] = to_plain(found)
    return plain


def _attribution(explanation: Explanation, one: Attribution, columns: Sequence[str]) -> dict[str, Any]:
    table = one.relevance.get("table")
    return {
        "method": one.method,
        "title": one.title,
        "words": _rounded(explanation.word_relevance(one)) if "text" in one.relevance else None,
        "regions": [_rounded(explanation.region_relevance(one, view)) for view in range(len(explanation.views))]
        if {"regions", "images"} & set(one.relevance)
        else None,
        "columns": _rounded(table[0].tolist()) if table is not None and table.shape[1] == len(columns) else None,
        "faithfulness": [
            {
                "stream": stream,
                "area": score.area,
                "random": {"value": score.random.value, "low": score.random.low, "high": score.random.high},
            }
            for stream, score in one.faithfulness.items()
        ],
    }


def _maps(explanation: Explanation, one: Maps, every_head: bool) -> dict[str, Any]:
    views, heads, queries, keys = one.layers[0].shape
    layers = one.layers
    if sum(layer.numel() for layer in layers) > LARGEST:
        heads, layers = 1, tuple(layer.mean(1, keepdim=True) for layer in layers)
    found: dict[str, Any] = {
        "title": one.evidence.title,
        "kind": one.evidence.kind,
        "query": one.evidence.query,
        "key": one.evidence.key,
        "layers": len(one.layers),
        "heads": heads,
        "views": views,
        "queries": explanation.item_names(one.evidence.query, queries),
        "keys": explanation.item_names(one.evidence.key, keys),
        "mean": None,
        "weights": None,
    }
    if len({tuple(layer.shape) for layer in one.layers}) == 1:
        found["mean"] = _nested(one.mean())
    if every_head:
        found["weights"] = [_nested(layer) for layer in layers]
    return found


def _nested(weights: Tensor) -> Any:
    """A tensor as nested lists with few digits."""
    scale = 10**DIGITS
    return ((weights.detach().double().cpu() * scale).round() / scale).tolist()


def _rounded(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
