"""The order of examples, and how a batch is divided."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chiasm.training.sampler import Sampler, parts


def test_every_epoch_has_every_example_once() -> None:
    for sampler in (Sampler(103, 10, 0), Sampler(103, 10, 0, lengths=torch.arange(103) % 7)):
        batches = sampler.batches(3)
        assert sorted(torch.cat(batches).tolist()) == list(range(103))
        assert len(batches) == len(sampler) == 11


def test_the_order_depends_on_seed_and_epoch_only() -> None:
    order = [b.tolist() for b in Sampler(50, 8, 1).batches(2)]
    torch.rand(3)
    assert [b.tolist() for b in Sampler(50, 8, 1).batches(2)] == order
    assert [b.tolist() for b in Sampler(50, 8, 2).batches(1)] != order
    assert [b.tolist() for b in Sampler(50, 8, 1).batches(3)] != order


def test_drop_last_leaves_full_batches_only() -> None:
    sampler = Sampler(103, 10, 0, drop_last=True)
    assert [len(b) for b in sampler.batches(0)] == [10] * 10
    assert len(sampler) == 10


def test_length_buckets_pad_little() -> None:
    lengths = torch.randint(3, 20, (5000,), generator=torch.Generator().manual_seed(0))

    def padding(sampler: Sampler) -> float:
        batches = sampler.batches(0)
        padded = sum(int(lengths[b].max()) * len(b) for b in batches)
        return padded / int(lengths.sum()) - 1

    assert padding(Sampler(5000, 32, 0)) > 0.5
    assert padding(Sampler(5000, 32, 0, lengths=lengths)) < 0.05


def test_batches_of_like_length_come_in_random_order() -> None:
    lengths = torch.arange(1000)
    first = [int(lengths[b].min()) for b in Sampler(1000, 10, 0, lengths=lengths).batches(0)]
    assert first != sorted(first)


@given(size=st.integers(1, 40), accumulate=st.integers(1, 7), processes=st.integers(1, 5))
def test_weighted_parts_are_the_whole_batch(size: int, accumulate: int, processes: int) -> None:
    """The gradient of a mean: the mean over processes of the weighted part means is the mean over the batch."""
    batch = torch.randperm(1000)[:size]
    shares = [parts(batch, accumulate=accumulate, rank=r, processes=processes) for r in range(processes)]
    total = sum(p.weight * float(p.positions.double().mean()) for share in shares for p in share) / processes
    assert total == pytest.approx(float(batch.double().mean()))
    assert len({len(share) for share in shares}) == 1
    assert all(len(p.positions) for share in shares for p in share)
