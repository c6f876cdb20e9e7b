"""Dynamic batching: together what waits together, in order, bounded, and nothing lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from chiasm.serve.batching import Batcher
from chiasm.serve.limits import Limits, Refused


class Recorder:
    """Runs that note their rows, and can be held back."""

    def __init__(self) -> None:
        self.passes: list[list[Any]] = []
        self.free = threading.Event()
        self.begun = threading.Event()

    def run(self, rows: Sequence[Any]) -> list[Any]:
        self.begun.set()
        assert self.free.wait(20)
        self.passes.append(list(rows))
        if "bad" in rows:
            raise ValueError("bad row")
        return [f"{row}!" for row in rows]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def batcher(recorder: Recorder) -> Iterator[Batcher]:
    made = Batcher(Limits(queue=6, batch=3))
    yield made
    recorder.free.set()
    made.close()


def held(batcher: Batcher, recorder: Recorder) -> Any:
    """A first job that is being run, so that what follows waits."""
    first = batcher.submit(recorder.run, ["first"])
    assert recorder.begun.wait(20)
    return first


def test_what_waits_is_answered_in_one_pass_and_in_order(batcher: Batcher, recorder: Recorder) -> None:
    first = held(batcher, recorder)
    waiting = [batcher.submit(recorder.run, [number], group="a") for number in range(3)]
    recorder.free.set()
    assert first.result(20) == ["first!"]
    assert [one.result(20) for one in waiting] == [["0!"], ["1!"], ["2!"]]
    assert recorder.passes == [["first"], [0, 1, 2]]


def test_a_pass_holds_no_more_rows_than_the_limit(batcher: Batcher, recorder: Recorder) -> None:
    held(batcher, recorder)
    waiting = [batcher.submit(recorder.run, [number, number], group="a") for number in range(3)]
    recorder.free.set()
    assert [len(one.result(20)) for one in waiting] == [2, 2, 2]
    assert recorder.passes == [["first"], [0, 0], [1, 1], [2, 2]]


def test_groups_are_not_mixed_and_jobs_without_one_run_alone(batcher: Batcher, recorder: Recorder) -> None:
    held(batcher, recorder)
    groups = ["a", "b", None, "a", None]
    waiting = [batcher.submit(recorder.run, [number], group=group) for number, group in enumerate(groups)]
    recorder.free.set()
    assert [one.result(20) for one in waiting] == [[f"{number}!"] for number in range(5)]
    assert recorder.passes == [["first"], [0, 3], [1], [2], [4]]


def test_a_full_queue_refuses_and_says_when_to_come_again(batcher: Batcher, recorder: Recorder) -> None:
    held(batcher, recorder)
    for number in range(6):
        batcher.submit(recorder.run, [number], group="a")
    with pytest.raises(Refused, match="6 requests are waiting") as refusal:
        batcher.submit(recorder.run, [7], group="a")
    assert refusal.value.status == 503
    assert refusal.value.retry_after is not None
    assert refusal.value.retry_after >= 1


def test_a_row_that_fails_spoils_no_other(batcher: Batcher, recorder: Recorder) -> None:
    held(batcher, recorder)
    waiting = [batcher.submit(recorder.run, [value], group="a") for value in (1, "bad", 2)]
    recorder.free.set()
    assert waiting[0].result(20) == ["1!"]
    with pytest.raises(ValueError, match="bad row"):
        waiting[1].result(20)
    assert waiting[2].result(20) == ["2!"]


def test_a_job_whose_client_has_gone_is_not_run(batcher: Batcher, recorder: Recorder) -> None:
    held(batcher, recorder)
    gone = batcher.submit(recorder.run, ["gone"], group="a")
    there = batcher.submit(recorder.run, ["there"], group="a")
    assert gone.cancel()
    recorder.free.set()
    assert there.result(20) == ["there!"]
    assert recorder.passes == [["first"], ["there"]]


def test_closing_finishes_what_was_taken_and_takes_no_more(recorder: Recorder) -> None:
    batcher = Batcher(Limits())
    first = held(batcher, recorder)
    waiting = [batcher.submit(recorder.run, [number], group="a") for number in range(5)]
    ending = threading.Thread(target=batcher.close)
    ending.start()
    while not batcher.closing:
        time.sleep(0.002)
    with pytest.raises(Refused, match="shutting down"):
        batcher.submit(recorder.run, ["late"], group="a")
    recorder.free.set()
    ending.join(20)
    assert not ending.is_alive()
    assert all(one.done() for one in [first, *waiting])


def test_a_wrong_number_of_results_is_an_error(batcher: Batcher) -> None:
    with pytest.raises(RuntimeError, match="1 results for 2 rows"):
        batcher.submit(lambda rows: [1], [1, 2]).result(20)
