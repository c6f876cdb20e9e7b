"""Charts say the right numbers, to eyes and to screen readers."""

from __future__ import annotations

import math
import re

import pytest

from chiasm.metrics.estimate import Estimate, share
from chiasm.report.charts import Bar, Line, bars, lines, smooth, ticks


def test_a_bar_is_as_wide_as_its_value_and_spoken_with_its_interval() -> None:
    chart = bars([Bar("query", Estimate(0.5, 0.4, 0.6, 100))], label="by type")
    assert 'class="fill" style="width:50.00%"' in chart
    assert 'class="whisker" style="left:40.00%;width:20.00%"' in chart
    assert 'aria-label="query: 50.0 %, interval 40.0–60.0, 100 cases"' in chart


def test_a_mark_stands_at_the_other_system() -> None:
    chart = bars([Bar("q", share(5, 10), mark=share(1, 4))], label="x", mark_name="question only")
    assert "left:25.00%" in chart
    assert "question only: 25.0 %" in chart


def test_a_type_without_cases_has_no_bar_and_says_so() -> None:
    chart = bars([Bar("rare", share(0, 0))], label="x")
    assert "width:0%" in chart
    assert "no cases" in chart


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.53, 0.91, [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        (0.0, 2990.0, [0, 1000, 2000, 3000]),
        (3.0, 3.0, [2.4, 2.6, 2.8, 3.0, 3.2, 3.4, 3.6]),
    ],
)
def test_ticks_are_round_and_enclose(low: float, high: float, expected: list[float]) -> None:
    found = ticks(low, high)
    assert found == pytest.approx(expected)


def test_a_line_chart_speaks_its_ends() -> None:
    chart = lines([Line("loss", [0, 10], [2.0, 0.5])], title="Training loss", x_name="step", y_name="loss")
    assert 'aria-label="Training loss. loss from 2 to 0.5"' in chart


def test_a_chart_without_points_is_nothing() -> None:
    assert lines([], title="t", x_name="x", y_name="y") == ""
    assert lines([Line("l", [1.0], [math.nan])], title="t", x_name="x", y_name="y") == ""


def test_smoothing_keeps_the_mean_and_bounds_the_points() -> None:
    places, means = smooth([float(i) for i in range(1000)], points=200)
    assert len(means) == 200
    assert sum(means) / 200 == pytest.approx(499.5)
    assert places[0] == 2.0


def test_a_constant_share_is_drawn_between_nought_and_one() -> None:
    chart = lines([Line("a", [1, 2], [0.0, 0.0])], title="t", x_name="step", y_name="y", as_percent=True)
    assert "-" not in "".join(re.findall(r">([^<>]*%)</text>", chart))


def test_steps_are_marked_at_whole_numbers_only() -> None:
    chart = lines([Line("a", [50, 51], [0.5, 1.0])], title="t", x_name="step", y_name="y")
    assert ">50.2<" not in chart
    assert ">50<" in chart


def test_a_curve_without_a_name_is_not_in_the_legend() -> None:
    curves = [Line("a", [0, 1], [0, 1]), Line("b", [0, 1], [1, 0]), Line("", [0, 1], [0, 0])]
    assert lines(curves, title="t", x_name="x", y_name="y").count('class="key') == 2
