"""How many rows can be answered at once: what one row needs, measured, and what memory is there."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from chiasm.batch import Batch

T = TypeVar("T")
SHARE = 0.4  # of the free memory that activations may take: other parts of the process need some too
MOST = {"cpu": 64, "cuda": 256}  # more rows at once gain nothing
CGROUP = Path("/sys/fs/cgroup")


def rows_at_once(model: nn.Module, row: Batch) -> int:
    """How many rows like `row`, a batch of one (best the longest), fit into memory together; at least 1."""
    device = next(model.parameters()).device
    needed = peak_bytes(model, row.to(device))
    fitting = int(free_bytes(device) * SHARE) // max(needed, 1)
    return max(1, min(fitting, MOST.get(device.type, MOST["cuda"])))


def peak_bytes(model: nn.Module, batch: Batch) -> int:
    """The bytes of tensors that are alive at one time in a forward pass, the weights and the batch not counted."""
    counter = _Counter()
    with torch.no_grad(), counter:
        model(batch)
    return counter.peak


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device; on a CPU not more than what the container may still take."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    free = int(psutil.virtual_memory().available)
    limit, used = CGROUP / "memory.max", CGROUP / "memory.current"
    if limit.is_file() and used.is_file() and (text := limit.read_text().strip()).isdigit():
        free = min(free, int(text) - int(used.read_text()))
    return max(free, 0)


def with_fewer(action: Callable[[int], T], rows: int) -> tuple[T, int]:
    """`action(rows)`, with half as many rows again and again while memory runs out; and the number that worked.

    Raises what the device raised when one row alone is too much.
    """
    while True:
        try:
            return action(rows), rows
        except (torch.OutOfMemoryError, MemoryError):
            if rows == 1:
                raise
        except RuntimeError as error:  # what torch raises on a CPU
            if rows == 1 or "can't allocate memory" not in str(error):
                raise
        rows = rows // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


class _Counter(TorchDispatchMode):
    """Sees every tensor that an operation makes, and when its memory is given back."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        known = {tensor.untyped_storage()._cdata for tensor in _plain_tensors((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for tensor in _plain_tensors(result):
            self._saw(tensor.untyped_storage(), known)
        return result

    def _saw(self, storage: torch.UntypedStorage, known: set[int]) -> None:
        key = storage._cdata
        if key in self._alive or key in known:  # a view of what is there already
            return
        size = storage.nbytes()
        self._alive.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._freed, key, size)

    def _freed(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.now -= size


def _plain_tensors(values: Any) -> list[Tensor]:
    """The tensors that have a storage. Weights packed for a kernel (oneDNN) have none, and are no activations."""
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor) and leaf.layout == torch.strided]
