"""The learning rate, and a budget of seconds."""

from __future__ import annotations

from itertools import pairwise

import pytest

from chiasm.training.schedule import Plan, factor


@pytest.mark.parametrize(
    ("schedule", "share", "expected"),
    [
        ("linear", 0.0, 0.0),
        ("linear", 0.05, 0.5),
        ("linear", 0.1, 1.0),
        ("linear", 0.55, 0.5),
        ("linear", 1.0, 0.0),
        ("cosine", 0.55, 0.5),
        ("cosine", 1.0, 0.0),
        ("hold", 0.05, 0.5),
        ("hold", 0.73, 1.0),
        ("hold", 0.865, 0.5),
        ("hold", 1.0, 0.0),
        ("constant", 0.05, 0.5),
        ("constant", 1.0, 1.0),
    ],
)
def test_warm_up_then_decay(schedule: str, share: float, expected: float) -> None:
    assert factor(schedule, 0.1, share) == pytest.approx(expected)


def test_no_warm_up_begins_at_the_peak() -> None:
    assert factor("linear", 0.0, 0.0) == 1.0


def test_linear_is_bert_adams_schedule() -> None:
    for x in (0.0, 0.03, 0.1, 0.4, 0.99):
        assert factor("linear", 0.1, x) == pytest.approx(x / 0.1 if x < 0.1 else max((x - 1) / (0.1 - 1), 0))


def test_a_budget_that_suffices_changes_nothing() -> None:
    plan = Plan(1000, 1000)
    for step in range(1, 1001):
        plan.move(step, plan.review(step, seconds=step * 0.09, budget=100, reserve=5))
    assert plan.end == 1000
    assert plan.share(250) == 0.25


def test_a_budget_that_is_too_small_brings_the_schedule_to_its_end_in_time() -> None:
    plan, step, shares = Plan(1000, 1000), 0, []
    while step < plan.end:
        step += 1
        shares.append(plan.share(step))
        plan.move(step, plan.review(step, seconds=step * 0.2, budget=100, reserve=5))
    assert step * 0.2 == pytest.approx(95, abs=1)
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert max(b - a for a, b in pairwise(shares)) < 0.01


def test_a_slow_beginning_is_made_up_for() -> None:
    plan, seconds = Plan(1000, 1000), 0.0
    for step in range(1, 1001):
        seconds += 1.0 if step <= 10 else 0.05
        plan.move(step, plan.review(step, seconds=seconds, budget=100, reserve=0))
    assert plan.end == 1000
