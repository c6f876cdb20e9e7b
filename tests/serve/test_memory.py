"""How many rows fit: what a forward pass needs, counted; fewer rows when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from chiasm.batch import Batch
from chiasm.data.example import Example
from chiasm.layers import kernels
from chiasm.serve import memory
from chiasm.serve.predictor import Predictor


class Steps(nn.Module):
    """Makes tensors of known sizes."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.work = work

    def forward(self, batch: Batch) -> Any:
        return self.work()


def kilobytes(count: int) -> torch.Tensor:
    return torch.zeros(256 * count)


def test_the_peak_counts_what_is_alive_together_and_no_view_twice() -> None:
    def one_after_the_other() -> None:
        for _ in range(5):
            kilobytes(10)

    def together() -> list[torch.Tensor]:
        first = kilobytes(10)
        return [first, first[:9], first.view(2, -1), kilobytes(10)]

    def in_place() -> None:
        kilobytes(10).add_(1).mul_(2)

    assert memory.peak_bytes(Steps(one_after_the_other), Batch()) == 10 * 1024
    assert memory.peak_bytes(Steps(together), Batch()) == 20 * 1024
    assert memory.peak_bytes(Steps(in_place), Batch()) == 10 * 1024


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch is built without oneDNN")
def test_weights_packed_for_a_kernel_are_no_obstacle() -> None:
    def packed() -> torch.Tensor:
        return kilobytes(10).to_mkldnn().to_dense()

    assert memory.peak_bytes(Steps(packed), Batch()) == 10 * 1024  # what is packed has no storage of its own


@pytest.mark.parametrize("kernel", ["default", "onednn"])
def test_a_model_is_measured_with_either_kernel(
    predictor: Predictor, rows: list[Example], kernel: kernels.Kernel
) -> None:
    with kernels.using(kernel):
        assert memory.peak_bytes(predictor.bundle.model, predictor.bundle.dataset(rows)[0]) > 1000


@pytest.mark.parametrize(("free", "rows"), [(0, 1), (100 * 1024, 4), (10**12, 64)])
def test_as_many_rows_as_memory_allows_at_least_one(monkeypatch: pytest.MonkeyPatch, free: int, rows: int) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _: free)
    assert memory.rows_at_once(Steps(lambda: kilobytes(10)), Batch()) == rows


def test_free_memory_is_not_more_than_the_container_may_take(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    unlimited = memory.free_bytes(torch.device("cpu"))
    assert unlimited > 2**20
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory.free_bytes(torch.device("cpu")) == 2000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_bytes(torch.device("cpu")) > 2**20


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("out"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9"), MemoryError()],
)
def test_rows_are_halved_until_they_fit(error: Exception) -> None:
    tried = []

    def action(rows: int) -> str:
        tried.append(rows)
        if rows > 3:
            raise error
        return "done"

    assert memory.with_fewer(action, 20) == ("done", 2)
    assert tried == [20, 10, 5, 2]


def test_other_errors_and_one_row_that_is_too_much_are_raised() -> None:
    def wrong(rows: int) -> None:
        raise RuntimeError("shapes differ")

    def too_much(rows: int) -> None:
        raise MemoryError

    with pytest.raises(RuntimeError, match="shapes differ"):
        memory.with_fewer(wrong, 4)
    with pytest.raises(MemoryError):
        memory.with_fewer(too_much, 4)


def test_answers_are_the_same_and_in_order_however_little_memory_there_is(
    monkeypatch: pytest.MonkeyPatch, predictor: Predictor, rows: list[Example]
) -> None:
    expected = list(predictor.predict(rows, batch_size=3))
    for free in (0, 10**12):
        monkeypatch.setattr(memory, "free_bytes", lambda _, free=free: free)
        fresh = Predictor(predictor.bundle)
        fresh.predict(**rows[0].values)  # one alone says nothing about how many fit
        found = list(fresh.predict(rows))
        assert [answer.id for answer in found] == [row.id for row in rows]
        assert fresh._rows_at_once == (1 if free == 0 else 64)
        for one, other in zip(found, expected, strict=True):
            assert one.answer == other.answer  # type: ignore[union-attr]
