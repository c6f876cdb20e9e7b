"""The parts of a run's page, in the order in which a person asks: how good, beside what, where, why, made how."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from chiasm.explain.faithfulness import Faithfulness, over_examples
from chiasm.metrics.estimate import Estimate
from chiasm.report.cards import STREAMS, card
from chiasm.report.charts import Bar, Line, bars, lines, smooth
from chiasm.report.contents import Report, parts_of
from chiasm.report.html import Html, join, tag
from chiasm.report.tables import NUMBERS, Table, metrics_table, range_of, signed, systems_table, value_of

MOST_TYPES = 30  # of a facet, shown as bars: GQA's `detailed` has over a hundred
SHORT = {"attr": "attribute", "cat": "category", "obj": "object", "rel": "relation"}  # GQA's semantic types
GENERATED = (
    "Generated world: these numbers come from pictures and questions that Chiasm made itself. "
    "They test the system, and are not results on real data."
)


def header(report: Report) -> Html:
    """Title, what it is, and the label of generated data."""
    label = tag("p", GENERATED, class_="generated", role="note") if report.generated else None
    subtitle = tag("p", report.subtitle, class_="subtitle") if report.subtitle else None
    return tag("header", tag("h1", report.title), subtitle, label)


def headline(report: Report) -> Html | None:
    """The main number beside the baselines and, on real data, the printed one."""
    if not report.metrics:
        return None
    main = report.metrics[report.headline]
    systems = [Bar("this model", main), *(Bar(name, e, "baseline") for name, e in report.baselines.items())]
    interval = range_of(report.headline, main)
    tile = tag(
        "div",
        tag("span", value_of(report.headline, main), class_="big"),
        tag("span", f"{report.headline}, 95 % interval {interval}, {main.n:,} cases"),
        _paper(report.paper),
        class_="tile",
    )
    chart: Html = bars(systems, label=f"{report.headline} of this model and of baselines")
    if report.headline in NUMBERS:
        named = {system.name: system.estimate for system in systems}
        chart = html_table(systems_table(named, title="This model and baselines", metric=report.headline))
    return section("Result", tag("div", tile, chart, class_="result"), generated=report.generated)


def _paper(paper: Mapping[str, Any]) -> Html | None:
    if not paper:
        return None
    said = ", ".join(f"{name} {value}" for name, value in paper.items())
    return tag("span", f"printed in the paper: {said}", class_="paper")


def types(report: Report) -> Html | None:
    """Bars for each facet of question types; a tick shows the first baseline that was measured on the same types."""
    facets = report.parts()
    if not facets:
        return None
    name = next(iter(report.baseline_parts), "")
    other = parts_of(report.baseline_parts[name], report.headline) if name else {}
    named = {facet: kinds for facet, kinds in facets.items() if not all(kind.isdigit() for kind in kinds)}
    counted = {facet: kinds for facet, kinds in facets.items() if facet not in named}
    charts = [_facet(facet, kinds, other.get(facet, {}), name) for facet, kinds in named.items()]
    if counted:
        curves = [_by_number(facet, kinds, other.get(facet, {}), name) for facet, kinds in counted.items()]
        charts.append(tag("div", *curves, class_="charts"))
    said = f"Whiskers are 95 % intervals. The tick is the {name} baseline." if name else "Whiskers are 95 % intervals."
    return section("By type", tag("p", said, class_="how"), *charts, generated=report.generated)


def _facet(facet: str, kinds: Mapping[str, Estimate], other: Mapping[str, Estimate], mark_name: str) -> Html:
    """One facet: best known types first when there are too many to show."""
    common = sorted(kinds, key=lambda kind: -kinds[kind].n)[:MOST_TYPES]
    shown = [kind for kind in kinds if kind in set(common)]
    rows = [Bar(SHORT.get(kind, kind.replace("_", " ")), kinds[kind], mark=other.get(kind)) for kind in shown]
    left = len(kinds) - len(shown)
    note = tag("p", f"{left} rarer types are only in the table of all metrics.", class_="how") if left else None
    return tag("div", tag("h3", facet), bars(rows, label=f"by {facet}", mark_name=mark_name), note, class_="facet")


def _by_number(facet: str, kinds: Mapping[str, Estimate], other: Mapping[str, Estimate], name: str) -> Html:
    """A facet that counts something (words of a question, steps of its program) as curves with the interval."""
    numbers = sorted((int(kind) for kind in kinds if kinds[kind].n), key=int)
    found = [kinds[str(number)] for number in numbers]
    places = [float(number) for number in numbers]
    curves = [Line("this model", places, [e.value for e in found])]
    if other:
        values = [other[str(number)].value if str(number) in other else math.nan for number in numbers]
        curves.append(Line(name, places, values, "against"))
    curves += [Line("95 % interval", places, [e.low for e in found], "faint")]
    curves += [Line("", places, [e.high for e in found], "faint")]
    return lines(curves, title=f"By number of {facet}", x_name=facet, y_name="share", y_range=(0, 1), as_percent=True)


def training(report: Report) -> Html | None:
    """Loss and validation curves."""
    losses = [(line["step"], line["loss"]) for line in report.journal if "loss" in line]
    checks = [
        (line["step"], line["validation"][report.headline])
        for line in report.journal
        if report.headline in line.get("validation", {})
    ]
    charts = []
    if losses:
        places, means = smooth([loss for _, loss in losses])
        steps = [float(losses[min(len(losses) - 1, round(place))][0]) for place in places]
        charts.append(lines([Line("loss", steps, means)], title="Training loss", x_name="step", y_name="loss"))
    if checks:
        curve = Line("validation", [float(step) for step, _ in checks], [float(value) for _, value in checks])
        title, shares = f"Validation {report.headline}", report.headline not in NUMBERS
        charts.append(lines([curve], title=title, x_name="step", y_name=report.headline, as_percent=shares))
    if not charts:
        return None
    return section("Training", tag("div", *charts, class_="charts"), generated=report.generated)


def examples(report: Report) -> Html | None:
    """Cards of explained examples."""
    if not report.examples:
        return None
    legend = tag(
        "p",
        tag("i", class_="swatch for"),
        "speaks for the answer ",
        tag("i", class_="swatch against"),
        "speaks against it; the brighter a region, the more it matters, relative to the most relevant one. "
        "Faithfulness (-1 to 1) is the area between two curves: the answer's probability as the least relevant and as "
        "the most relevant parts are hidden first. The grey band is where random orders fall.",
        class_="how",
    )
    cards = tag("div", *(card(e, f"example-{i}") for i, e in enumerate(report.examples, 1)), class_="cards")
    return section("Examples, explained", legend, cards)


def faithfulness(report: Report) -> Html | None:
    """The faithfulness of each method over all examples, beside random orders."""
    found: dict[tuple[str, str], list[Faithfulness]] = {}
    for example in report.examples:
        for one in example.explanation.attributions:
            for stream, score in one.faithfulness.items():
                found.setdefault((one.title, stream), []).append(score)
    if not found:
        return None
    rows = tuple(
        (f"{title}: {STREAMS.get(stream, stream)}", *_means(scores)) for (title, stream), scores in found.items()
    )
    table = Table("Faithfulness over the examples", ("method: of", "score", "random orders", "examples"), rows)
    said = (
        "Mean areas with 95 % intervals over the examples of this page. An interval above that of the random orders "
        "means that the shading points at what the model uses."
    )
    return section("How far to believe the shading", tag("p", said, class_="how"), html_table(table))


def _means(scores: Sequence[Faithfulness]) -> tuple[str, str, str]:
    mean = over_examples(scores)
    return _interval(mean["area"]), _interval(mean["random"]), str(len(scores))


def _interval(e: Estimate) -> str:
    return f"{signed(e.value)} ({signed(e.low)} to {signed(e.high)})"


def details(report: Report) -> Html:
    """How the numbers were made: data, environment, all metrics, the recipe."""
    parts: list[Html | None] = [
        _facts("Data", report.data),
        _facts("Environment", report.environment),
        tag("ul", *(tag("li", note) for note in report.notes)) if report.notes else None,
    ]
    if report.metrics:
        table = metrics_table(report.metrics, title="All metrics", baselines=report.baseline_parts)
        parts.append(tag("details", tag("summary", f"All {len(report.metrics)} metrics"), html_table(table)))
    if report.recipe:
        parts.append(tag("details", tag("summary", "Recipe"), tag("pre", tag("code", report.recipe))))
    return section("How it was made", *parts)


def _facts(title: str, facts: Mapping[str, Any]) -> Html | None:
    rows = [join([tag("dt", name), tag("dd", value)]) for name, value in flat(facts)]
    return join([tag("h3", title), tag("dl", *rows)]) if rows else None


def flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested values as (path, text); what is None is left out."""
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            rows += flat(value, f"{prefix}{name} ")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            rows.append((f"{prefix}{name}", ", ".join(str(part) for part in value)))
        elif isinstance(value, float) and math.isfinite(value):
            rows.append((f"{prefix}{name}", f"{value:g}"))
        elif value is not None:
            rows.append((f"{prefix}{name}", str(value)))
    return rows


def section(title: str, *children: object, generated: bool = False) -> Html:
    """A titled part of the page; numbers on generated data carry their label."""
    badge = tag("span", "generated world", class_="badge") if generated else None
    return tag("section", tag("h2", title, " " if badge else None, badge), *children)


def html_table(table: Table) -> Html:
    """A table that scrolls by itself on a narrow screen."""
    head = tag("tr", *(tag("th", column, scope="col") for column in table.columns))
    rows = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in table.rows]
    inner = tag("table", tag("caption", table.title), tag("thead", head), tag("tbody", *rows))
    return tag("div", inner, class_="scroll")
