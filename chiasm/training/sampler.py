"""Which examples make which step: an order that depends on the seed and the epoch only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

_POOL = 64  # batches whose examples are sorted by length together: larger pads less, smaller mixes more


@dataclass(frozen=True)
class Sampler:
    """The batches of every epoch, as positions in the data set.

    The order is a function of (seed, epoch), so that a run is resumed in the middle of an epoch by skipping, and
    every process knows the whole batch of which it takes its part. With `lengths` the examples of a pool of batches
    are sorted by length, so that a batch holds examples of like length; the batches are then shuffled.
    """

    examples: int
    batch_size: int
    seed: int
    lengths: Tensor | None = None  # (examples,) int64
    drop_last: bool = False

    def __len__(self) -> int:
        """Batches in one epoch."""
        full, rest = divmod(self.examples, self.batch_size)
        return full if self.drop_last or not rest else full + 1

    def batches(self, epoch: int) -> list[Tensor]:
        """The epoch's batches in order, each (batch_size,) int64 positions; the last one may be shorter."""
        generator = torch.Generator().manual_seed(_mixed(self.seed, epoch))
        order = torch.randperm(self.examples, generator=generator)
        if self.lengths is None:
            batches = list(order.split(self.batch_size))
        else:
            pools = order.split(_POOL * self.batch_size)
            batches = [batch for pool in pools for batch in self._by_length(pool)]
            batches = [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
        return [b for b in batches if len(b) == self.batch_size] if self.drop_last else batches

    def _by_length(self, pool: Tensor) -> tuple[Tensor, ...]:
        """A pool cut into batches of like length; equal lengths keep their random order."""
        assert self.lengths is not None
        order = torch.argsort(self.lengths[pool], stable=True)
        return pool[order].split(self.batch_size)


@dataclass(frozen=True)
class Part:
    """What one process gathers for one forward pass, and what its mean loss counts for."""

    positions: Tensor  # (examples,) int64
    weight: float


def parts(batch: Tensor, *, accumulate: int, rank: int = 0, processes: int = 1) -> list[Part]:
    """One process's share of a batch, in `accumulate` parts whose weighted losses have the whole batch's gradient.

    A part's loss is a mean over its own examples, and processes average their gradients; the weight, the part's share
    of the batch times the number of processes, undoes both. A process without an example in a part runs one with
    weight 0, because all processes must take part in the exchange of gradients.
    """
    mine = []
    for piece in batch.tensor_split(min(accumulate, len(batch))):
        own = piece[rank::processes]
        weight = len(own) * processes / len(batch)
        mine.append(Part(own if len(own) else piece[:1], weight))
    return mine


def _mixed(seed: int, epoch: int) -> int:
    """One 63-bit number from two, so that (0, 1) and (1, 0) differ."""
    digest = hashlib.blake2b(f"{seed},{epoch}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
