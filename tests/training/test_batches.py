"""Batches gathered ahead in a thread."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from torch import Tensor

from chiasm.training.batches import ahead

ITEMS = [torch.tensor(i) for i in range(20)]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_order_is_kept(count: int) -> None:
    with ahead(lambda item: int(item) * 2, ITEMS, count) as made:
        assert list(made) == [2 * i for i in range(20)]


@pytest.mark.parametrize("count", [0, 2])
def test_an_error_is_raised_where_the_item_is_asked_for(count: int) -> None:
    def make(item: Tensor) -> int:
        if item == 5:
            raise ValueError("item 5")
        return int(item)

    seen: list[int] = []

    def consume() -> None:
        with ahead(make, ITEMS, count) as made:
            for value in made:
                seen.append(value)

    with pytest.raises(ValueError, match="item 5"):
        consume()
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("taken", [0, 1, 19])
def test_leaving_early_ends_the_thread(taken: int) -> None:
    before = threading.active_count()
    for _ in range(20):
        with ahead(int, ITEMS, 1) as made:
            iterator = iter(made)
            for _ in range(taken):
                next(iterator)
    assert threading.active_count() == before


def test_items_are_made_while_the_consumer_works() -> None:
    def slow(item: Tensor) -> int:
        time.sleep(0.01)
        return int(item)

    start = time.monotonic()
    with ahead(slow, ITEMS, 2) as made:
        for _ in made:
            time.sleep(0.01)
    assert time.monotonic() - start < 0.38
