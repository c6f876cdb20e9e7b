"""Who may ask: nobody from elsewhere without the token, and no web page under another name."""

from __future__ import annotations

import pytest

from chiasm.serve.access import Access, UnsafeBinding, is_this_machine
from chiasm.serve.counters import Counters
from chiasm.serve.limits import Budget, Holding, Limits, Refused

TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9", "LOCALHOST"])
def test_addresses_of_this_machine(host: str) -> None:
    assert is_this_machine(host)
    Access(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", "", "localhost.example.org"])
def test_another_address_needs_a_token(host: str) -> None:
    assert not is_this_machine(host)
    with pytest.raises(UnsafeBinding, match="a token is needed"):
        Access(host)
    Access(host, TOKEN)


def test_a_short_token_is_refused() -> None:
    with pytest.raises(UnsafeBinding, match="has 6 characters; at least 16"):
        Access("0.0.0.0", "secret")


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Bearer wrong", b"Basic " + TOKEN.encode(), TOKEN.encode(), b"\xff"]
)
def test_a_missing_or_wrong_token_is_refused(header: bytes) -> None:
    access = Access("0.0.0.0", TOKEN)
    with pytest.raises(Refused, match="missing or wrong") as refusal:
        access.check("/predict", [(b"authorization", header)])
    assert refusal.value.status == 401


def test_the_token_opens_and_the_page_and_health_are_open() -> None:
    access = Access("0.0.0.0", TOKEN)
    access.check("/predict", [(b"authorization", b"bearer " + TOKEN.encode())])
    for path in ("/", "/health", "/page/page.js"):
        access.check(path, [])
    for path in ("/bundles", "/examples", "/metrics", "/openapi.json", "/pages", "/health/x"):
        with pytest.raises(Refused):
            access.check(path, [])


@pytest.mark.parametrize("host", [b"evil.example:8000", b"localhost.evil.example", b"10.0.0.1", b""])
def test_without_a_token_another_hosts_name_is_refused(host: bytes) -> None:
    with pytest.raises(Refused, match="localhost only") as refusal:
        Access().check("/", [(b"host", host)])
    assert refusal.value.status == 421


@pytest.mark.parametrize("host", [b"localhost:8000", b"127.0.0.1", b"[::1]:80"])
def test_without_a_token_this_machines_names_are_taken(host: bytes) -> None:
    Access().check("/predict", [(b"host", host)])


def test_a_budget_is_given_back_as_a_whole() -> None:
    budget = Budget(10, "things")
    with Holding(budget) as one:
        one.take(6)
        with Holding(budget) as other, pytest.raises(Refused, match="too many things") as refusal:
            other.take(5)
        assert refusal.value.retry_after == 1
        one.take(4)
        with pytest.raises(Refused, match="alone holds more than 10 things") as never:
            one.take(1)
        assert never.value.status == 413
    assert budget.held == 0
    with Holding(budget) as alone:
        alone.take(50)  # larger than the budget, but alone: each request has limits of its own


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_limits_are_above_zero(value: float) -> None:
    with pytest.raises(ValueError, match="answer_seconds"):
        Limits(answer_seconds=value)


def test_counters_are_written_as_prometheus_reads_them() -> None:
    counters = Counters()
    counters.describe("asked_total", "questions")
    counters.add("asked_total", path='/a"b\\c\nd')
    counters.add("asked_total", 2, path="/p")
    counters.observe("seconds", 0.3, bounds=(0.1, 0.5))
    counters.observe("seconds", 9.0, bounds=(0.1, 0.5))
    counters.gauge("waiting", "requests", lambda: 3.0)
    assert counters.value("asked_total", path="/p") == 2
    assert counters.to_text() == (
        '# HELP asked_total questions\n# TYPE asked_total counter\nasked_total{path="/a\\"b\\\\c\\nd"} 1\n'
        'asked_total{path="/p"} 2\n# HELP seconds seconds\n# TYPE seconds histogram\nseconds_bucket{le="0.1"} 0\n'
        'seconds_bucket{le="0.5"} 1\nseconds_bucket{le="+Inf"} 2\nseconds_sum 9.3\nseconds_count 2\n'
        "# HELP waiting requests\n# TYPE waiting gauge\nwaiting 3\n"
    )
