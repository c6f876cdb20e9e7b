"""From positions to batches on the device, gathered ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor

from chiasm.batch import Batch
from chiasm.data.columns import EncodedDataset
from chiasm.training.sampler import parts

T = TypeVar("T")
Weighted = tuple[Batch, float]  # a part of a batch, and what its mean loss counts for


class Gatherer:
    """This process's weighted parts of each batch of positions."""

    def __init__(self, dataset: EncodedDataset, accelerator: Accelerator, accumulate: int) -> None:
        self._dataset, self._accumulate = dataset, accumulate
        self._device: torch.device = accelerator.device
        self._rank, self._processes = accelerator.process_index, accelerator.num_processes

    def gather(self, positions: Tensor) -> list[Weighted]:
        """The parts of one batch, in memory from which they are copied fast. Draws no random numbers."""
        share = parts(positions, accumulate=self._accumulate, rank=self._rank, processes=self._processes)
        return [(self._pinned(self._dataset.batch(part.positions)), part.weight) for part in share]

    def to_device(self, weighted: Sequence[Weighted]) -> list[Weighted]:
        """The same parts on the device."""
        if self._device.type == "cpu":
            return list(weighted)
        return [(batch.to(self._device, non_blocking=True), weight) for batch, weight in weighted]

    def _pinned(self, batch: Batch) -> Batch:
        return batch.pin_memory() if self._device.type == "cuda" else batch


@contextmanager
def ahead(make: Callable[[Tensor], T], items: Sequence[Tensor], count: int) -> Iterator[Iterable[T]]:
    """`make` of each item in order, up to `count` made ahead in a thread; 0: made when asked for.

    An error in the thread is raised where the item is asked for. The thread ends with the `with` block.
    """
    if count == 0:
        yield map(make, items)
        return
    made: queue.Queue[T | BaseException | None] = queue.Queue(maxsize=count)
    ended = threading.Event()
    thread = threading.Thread(target=_produce, args=(make, items, made, ended), daemon=True)
    thread.start()
    try:
        yield _consume(made)
    finally:
        ended.set()
        while thread.is_alive():  # it may wait for room in the queue
            _drain(made)
            thread.join(0.01)


def _produce(
    make: Callable[[Tensor], T],
    items: Iterable[Tensor],
    made: queue.Queue[T | BaseException | None],
    ended: threading.Event,
) -> None:
    try:
        for item in items:
            if ended.is_set():
                return
            made.put(make(item))
        made.put(None)
    except BaseException as error:  # handed to the consumer, which raises it
        made.put(error)


def _consume(made: queue.Queue[T | BaseException | None]) -> Iterator[T]:
    while (item := made.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item


def _drain(made: queue.Queue[T | BaseException | None]) -> None:
    """Throw away what was made."""
    while True:
        try:
            made.get_nowait()
        except queue.Empty:
            return
