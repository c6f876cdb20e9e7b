"""Charts that follow the page's colours: bars as HTML, so that they stay readable on a phone, and lines as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chiasm.metrics.estimate import Estimate
from chiasm.report.html import Html, join, tag
from chiasm.report.tables import percent, percent_range

WIDTH, HEIGHT = 460, 250  # of a line chart, in its own units
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 14, 34


@dataclass(frozen=True)
class Bar:
    """One bar: its name, its value with the interval, and how it looks ("model", "baseline")."""

    name: str
    estimate: Estimate
    look: str = "model"
    mark: Estimate | None = None  # another system's value, as a tick on the same bar


def bars(rows: Sequence[Bar], *, label: str, mark_name: str = "") -> Html:
    """Horizontal bars from 0 to 100 % with 95 % whiskers; each is also a row that a screen reader reads."""
    return tag("div", *(_bar(row, mark_name) for row in rows), class_="bars", role="list", aria_label=label)


def _bar(row: Bar, mark_name: str) -> Html:
    e = row.estimate
    spoken = f"{row.name}: {percent(e.value)}, interval {percent_range(e)}, {e.n} cases"
    mark = None
    if row.mark is not None and not math.isnan(row.mark.value):
        said = f"{mark_name}: {percent(row.mark.value)}"
        spoken += f"; {said}"
        mark = tag("span", class_="mark", style=f"left:{_share(row.mark.value)}", title=said)
    track = tag(
        "div",
        tag("span", class_="fill", style=f"width:{_share(e.value)}"),
        tag("span", class_="whisker", style=f"left:{_share(e.low)};width:{_share(e.high - e.low)}"),
        mark,
        class_="track",
    )
    value = tag("span", tag("b", percent(e.value)), " ", tag("small", percent_range(e)), class_="value")
    name = tag("span", row.name, class_="name")
    return tag("div", name, track, value, class_=f"bar {row.look}", role="listitem", aria_label=spoken, title=spoken)


def _share(value: float) -> str:
    return "0%" if math.isnan(value) else f"{100 * min(1.0, max(0.0, value)):.2f}%"


@dataclass(frozen=True)
class Line:
    """One curve: name, points, and its look ("model", "baseline", "against", "faint")."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    look: str = "model"


def lines(
    curves: Sequence[Line],
    *,
    title: str,
    x_name: str,
    y_name: str,
    y_range: tuple[float, float] | None = None,
    as_percent: bool = False,
) -> Html:
    """Curves over one axis, with ticks and a legend."""
    curves = [c for c in curves if len(c.x)]
    xs = [x for c in curves for x in c.x]
    ys = [y for c in curves for y in c.y if math.isfinite(y)]
    if not xs or not ys:
        return Html("")
    x_ticks = ticks(min(xs), max(xs), least=1 if all(float(x).is_integer() for x in xs) else 0)
    y_ticks = ticks(*(y_range or _range(ys, as_percent)))
    box = _Box(min(xs), max(xs), y_ticks[0], y_ticks[-1])
    drawing = [*(_y_tick(box, y, as_percent) for y in y_ticks), *(_x_tick(box, x) for x in x_ticks)]
    drawing += [_curve(box, c) for c in curves]
    drawing.append(tag("text", x_name, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 3, class_="axis middle"))
    svg = tag(
        "svg",
        tag("title", f"{title}: {y_name} by {x_name}"),
        *drawing,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=_spoken(title, curves, as_percent),
    )
    named = [c for c in curves if c.name]
    legend = tag("p", *(_legend(c) for c in named), class_="legend") if len(named) > 1 else None
    return tag("figure", tag("figcaption", title), legend, svg, class_="lines")


@dataclass(frozen=True)
class _Box:
    """From values to the chart's units."""

    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        width = WIDTH - LEFT - RIGHT
        return LEFT + width * (value - self.x0) / ((self.x1 - self.x0) or 1.0)

    def y(self, value: float) -> float:
        height = HEIGHT - TOP - BOTTOM
        return HEIGHT - BOTTOM - height * (value - self.y0) / ((self.y1 - self.y0) or 1.0)


def _range(values: Sequence[float], as_percent: bool) -> tuple[float, float]:
    """From the lowest to the highest; shares get some room, but never outside 0 to 1."""
    low, high = min(values), max(values)
    return (max(0.0, low - 0.05), min(1.0, high + 0.05)) if as_percent else (low, high)


def ticks(low: float, high: float, wanted: int = 5, least: float = 0) -> list[float]:
    """Round values that enclose `low` to `high`: about `wanted` of them, at least `least` apart."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    scale = 10 ** math.floor(math.log10((high - low) / wanted))
    step = next(scale * m for m in (1, 2, 5, 10) if (high - low) / (scale * m) <= wanted)
    step = max(step, least)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * i, 12) for i in range(first, last + 1)]


def _y_tick(box: _Box, value: float, as_percent: bool) -> Html:
    y = round(box.y(value), 1)
    text = percent(value, digits=0) if as_percent else short(value)
    return join(
        [
            tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"),
            tag("text", text, x=LEFT - 6, y=y + 4, class_="axis end"),
        ]
    )


def _x_tick(box: _Box, value: float) -> Html | None:
    if not box.x0 <= value <= box.x1:
        return None
    return tag("text", short(value), x=round(box.x(value), 1), y=HEIGHT - BOTTOM + 15, class_="axis middle")


def _curve(box: _Box, curve: Line) -> Html:
    pairs = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
    points = " ".join(f"{box.x(x):.1f},{box.y(y):.1f}" for x, y in pairs)
    if len(pairs) == 1:
        return tag("circle", cx=box.x(pairs[0][0]), cy=box.y(pairs[0][1]), r=3, class_=f"dot {curve.look}")
    return tag("polyline", points=points, class_=f"curve {curve.look}")


def _legend(curve: Line) -> Html:
    return tag("span", tag("i", class_=f"key {curve.look}"), curve.name)


def _spoken(title: str, curves: Sequence[Line], as_percent: bool) -> str:
    """The curves' ends in words."""

    def say(value: float) -> str:
        return percent(value) if as_percent else short(value)

    ends = "; ".join(f"{c.name} from {say(c.y[0])} to {say(c.y[-1])}" for c in curves if c.name)
    return f"{title}. {ends}"


def short(value: float) -> str:
    """A number for an axis: 12k, 0.05."""
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:g}"


def smooth(values: Sequence[float], points: int = 200) -> tuple[list[float], list[float]]:
    """(positions, means): the values averaged in at most `points` windows, positions in [0, len)."""
    size = max(1, math.ceil(len(values) / points))
    groups: Mapping[int, Sequence[float]] = {i: values[i : i + size] for i in range(0, len(values), size)}
    return [start + (len(g) - 1) / 2 for start, g in groups.items()], [sum(g) / len(g) for g in groups.values()]
