"""Affinities and rankings inside a page: heat maps with names, and the best region of every word as a picture."""

from __future__ import annotations

from chiasm.explain.explanation import SPECIAL, Explanation
from chiasm.explain.matches import Matches, crop
from chiasm.report.html import Html, tag
from chiasm.report.pictures import data_uri, heat_map

CROP = 96  # pixels of a crop's longer side
LABELLED = 64  # rows and columns that somebody reads
BESIDE = 20  # columns of a table that leaves room for another one beside it


def match_section(table: Matches, explanation: Explanation) -> Html:
    """One table of scores, darker where they are higher, and what is highest in it."""
    shown: list[Html | None] = []
    if max(table.scores.shape) <= LABELLED:
        shown.append(heat_map(table.shades(), table.rows, table.columns, title=_caption(table), darkest_at=1.0))
    named = ", ".join(f"{table.rows[i]} \N{EN DASH} {table.columns[j]}" for i, j, _ in table.highest())
    shown.append(tag("p", f"Highest: {named}", class_="how"))
    crops = _crops(table, explanation) if table.kind == "affinity" else None
    wide = " wide" if crops is not None or table.scores.shape[1] > BESIDE else ""
    return tag("section", tag("h4", table.title), *shown, crops, class_=f"matches{wide}")


def _caption(table: Matches) -> str:
    low, high = (
        (f"{float(values):.3g}" for values in (found.min(), found.max()))
        if len(found := table.scores[table.known()])
        else ("", "")
    )
    what = "pairs, each once" if table.kind == "ranking" else "rows match columns"
    return f"{what}: white {low}, darkest {high}"


def _crops(table: Matches, explanation: Explanation) -> Html | None:
    """Each word with a picture of the region that matches it best; None where rows are no words or columns no boxes."""
    view = table.views[1]
    if table.views[0] is not None or view is None or view >= len(explanation.views):
        return None
    seen = explanation.views[view]
    found = []
    for name, column in zip(table.rows, table.best(), strict=True):
        if name not in SPECIAL:
            image = crop(seen, column)
            image.thumbnail((CROP, CROP))
            where = f"region {table.columns[column]}"
            picture = tag("img", src=data_uri(image), alt=f"{where}, best for {name}")
            found.append(tag("figure", picture, tag("figcaption", name, " ", tag("small", where))))
    return tag("div", *found, class_="crops") if found else None
