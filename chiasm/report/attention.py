"""What a model looks at in one example, as the papers draw it: as files, with their numbers, and on one page.

Figures 3 to 5 of LXMERT's appendix E where there is attention; 3 and 4 of CMR where there are affinities, rankings.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from chiasm.explain.attention_figures import draw_cross_graph, draw_neighbours, draw_objects, draw_tokens
from chiasm.explain.attention_graphs import CrossGraph, TokenGraph, bert_graph, object_graph
from chiasm.explain.draw import draw_curves, draw_explanation, png
from chiasm.explain.evidence import Maps
from chiasm.explain.explanation import Explanation
from chiasm.explain.match_figures import draw_affinity, draw_ranking
from chiasm.explain.matches import matches
from chiasm.report.html import Html, tag
from chiasm.report.page import document

METHOD = "relevance_propagation"


@dataclass(frozen=True)
class Drawn:
    """One figure: its name, what it shows, the picture, and the numbers behind it."""

    name: str
    caption: str
    picture: bytes  # PNG
    numbers: dict[str, Any] = field(default_factory=dict)


def attention_figures(
    explanation: Explanation,
    *,
    bert: str | Path | None = None,
    layer: int | None = None,
    head: int | None = None,
    names: Sequence[str] | None = None,
    keep: int = 8,
    view: int = 0,
) -> list[Drawn]:
    """The figures that the model's evidence allows.

    - `bert`: a BERT (folder, or name on the Hub) to stand beside the language layers
    - `layer`, `head`: of figure 3, from 0; by default the layers that point most to the next and the previous word
    - `names` of the regions; by default their numbers
    - `keep`: how many objects the recovered graph has
    - `view`: which of the example's images figures 4 and 5 are of, from 0

    Raises ValueError when there is no such layer, head or image, or the model records no attention at all.
    """
    if not 0 <= view < max(1, len(explanation.views)):
        raise ValueError(f"the example has {len(explanation.views)} image(s); there is no image {view + 1}")
    drawn = [
        *_language(explanation, bert, layer, head),
        *_objects(explanation, names, keep, view),
        *_cross(explanation, names, view),
        *_matches(explanation, names, view),
        *_relevance(explanation),
    ]
    if not drawn:
        raise ValueError("this model recorded no attention and no affinities: there is nothing to draw")
    return drawn


def figures_page(explanation: Explanation, drawn: Sequence[Drawn], *, title: str) -> str:
    """One self-contained page of the figures."""
    said = explanation.prediction
    head = tag("header", tag("h1", title), tag("p", f"{explanation.text or ''} -> {said.answer}", class_="subtitle"))
    return document(title, head, *[_figure(one) for one in drawn])


def write_figures(drawn: Sequence[Drawn], folder: Path) -> list[Path]:
    """Each figure as a PNG file in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for one in drawn:
        paths.append(folder / f"{one.name}.png")
        paths[-1].write_bytes(one.picture)
    return paths


def _figure(one: Drawn) -> Html:
    source = f"data:image/png;base64,{base64.b64encode(one.picture).decode()}"
    picture = tag("img", src=source, alt=one.caption, style="max-width:100%;background:#fff")
    return tag("section", tag("h2", one.name.replace("_", " ")), tag("p", one.caption, class_="how"), picture)


def _language(explanation: Explanation, bert: str | Path | None, layer: int | None, head: int | None) -> list[Drawn]:
    maps = _maps(explanation, "text", "text")
    if maps is None or maps.layers[0].shape[-1] != len(explanation.tokens):
        return []
    graphs = [TokenGraph("this model", explanation.tokens, tuple(one[0] for one in maps.layers))]
    layers, heads = len(graphs[0].layers), graphs[0].layers[0].shape[0]
    if (layer is not None and not 0 <= layer < layers) or (head is not None and not 0 <= head < heads):
        raise ValueError(f"the language encoder has layers 1 to {layers} of heads 1 to {heads}")
    if bert is not None:
        graphs.append(bert_graph(bert, explanation.text or ""))
    panels = [(g, layer) for g in graphs if layer is not None and layer < len(g.layers)]
    what = "the chosen layer"
    if layer is None:
        strongest = dict.fromkeys((i, g.strongest(offset)) for offset in (1, -1) for i, g in enumerate(graphs))
        panels = [(graphs[i], one) for i, one in strongest]
        what = "the layers that point most to the next and to the previous word"
    numbers = {
        g.name: {"next": g.neighbour_scores(1).tolist(), "previous": g.neighbour_scores(-1).tolist()} for g in graphs
    }
    return [
        _drawn("figure_3_language", f"Attention of the words to each other in {what}.", draw_tokens(panels, head)),
        _drawn(
            "figure_3_neighbours",
            "Mean attention of a word to its next and its previous word, by layer and head.",
            draw_neighbours(graphs),
            numbers,
        ),
    ]


def _objects(explanation: Explanation, names: Sequence[str] | None, keep: int, view: int) -> list[Drawn]:
    maps = _maps(explanation, "regions", "regions")
    if maps is None or not explanation.views:
        return []
    seen = explanation.views[view]
    count = len(seen.boxes)
    graph = object_graph(maps.layers[0][view, :, :count, :count], keep=keep)
    figure = draw_objects(graph, seen.image, seen.boxes, _names(names, seen.boxes))
    caption = "The first object layer: who looks at whom, and the graph of the objects that are looked at most."
    return [_drawn("figure_4_objects", caption, figure, graph.to_json())]


def _cross(explanation: Explanation, names: Sequence[str] | None, view: int) -> list[Drawn]:
    there, back = _maps(explanation, "text", "regions"), _maps(explanation, "regions", "text")
    if there is None or back is None or not explanation.views:
        return []
    boxes = explanation.views[view].boxes
    words, count = len(explanation.tokens), len(boxes)
    to_objects, to_words = there.mean()[view, :words, :count], back.mean()[view, :count, :words]
    graph = CrossGraph(explanation.tokens, to_objects, to_words)
    caption = "Words and objects tied by attention, both ways: pronouns pink, nouns blue, articles red."
    numbers = {"received": graph.received().tolist(), "kinds": graph.kinds(), "by_kind": graph.share_of_kinds()}
    return [_drawn("figure_5_cross", caption, draw_cross_graph(graph, _names(names, boxes)), numbers)]


def _matches(explanation: Explanation, names: Sequence[str] | None, view: int) -> list[Drawn]:
    """Affinities and rankings of one image, and affinities of two."""
    drawn: list[Drawn] = []
    for table in matches(explanation, names):
        if view not in table.images:
            continue
        name = f"{table.kind}_{table.query}" + ("" if table.kind == "ranking" else f"_{table.key}")
        if table.kind == "ranking":
            caption = f"{table.title}. The darker a pair, the higher it ranks; the five highest are framed."
            figure = draw_ranking(table)
        else:
            caption = f"{table.title}. The darker, the better they match; each row's best column is framed and shown."
            seen = table.views[1] if table.views[0] is None else None
            figure = draw_affinity(table, None if seen is None else explanation.views[seen])
        drawn.append(_drawn(_free(name, drawn), caption, figure, table.to_json()))
    return drawn


def _free(name: str, drawn: Sequence[Drawn]) -> str:
    """The name with a number after it, where another figure has it already."""
    same = sum(one.name.startswith(name) for one in drawn)
    return f"{name}_{same + 1}" if same else name


def _relevance(explanation: Explanation) -> list[Drawn]:
    found = next((one for one in explanation.attributions if one.method == METHOD), None)
    if found is None:
        return []
    scores = list(found.faithfulness.values())
    caption = (
        "What mattered to the answer, by relevance propagation through all attention, and what becomes of the answer's "
        "probability when the most (positive perturbation) or the least relevant parts (negative) are hidden first."
    )
    drawn = [_drawn("relevance", caption, draw_explanation(explanation, found))]
    if scores:
        numbers = {score.stream: score.to_json() for score in scores}
        drawn.append(_drawn("perturbation_curves", caption, draw_curves(scores), numbers))
    return drawn


def _maps(explanation: Explanation, query: str, key: str) -> Maps | None:
    """The first kind of attention between two streams."""
    found = [
        m for m in explanation.maps if (m.evidence.kind, m.evidence.query, m.evidence.key) == ("attention", query, key)
    ]
    return found[0] if found else None


def _names(names: Sequence[str] | None, boxes: Tensor) -> list[str]:
    if names and len(names) != len(boxes):
        raise ValueError(f"{len(names)} names for {len(boxes)} regions")
    return list(names) if names else [str(number + 1) for number in range(len(boxes))]


def _drawn(name: str, caption: str, figure: Figure, numbers: dict[str, Any] | None = None) -> Drawn:
    return Drawn(name, caption, png(figure), numbers or {})
