"""From raw values to batches, in two steps: a `Preprocessor` encodes all values of a role once into a `Column`;
a `Column` gathers any examples into tensors, fast enough for a training loop.

A preprocessor is fitted on training rows only, travels in the bundle, and is what makes raw inputs usable later.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.utils.data import Dataset

from chiasm.batch import Batch, Stream
from chiasm.data.example import Example


class Column(ABC):
    """All examples' values of one role, encoded; random access by position."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def gather(self, examples: Tensor) -> Stream | Tensor:
        """The chosen examples (1-d int64 positions) as a padded stream, or as a target tensor."""

    def lengths(self) -> Tensor | None:
        """(examples,) int64 padded-dimension length of each, for length buckets; None when all are equal."""
        return None

    def notes(self) -> Sequence[str]:
        """What a person should be told of how these examples were read, each in one sentence."""
        return ()


class TensorColumn(Column):
    """A tensor whose rows are the examples: targets, table rows, anything of one size."""

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return self.values.shape[0]

    def gather(self, examples: Tensor) -> Tensor:
        return self.values[examples]


def padded(offsets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Where the numbers of the chosen rows (B,) stand in a flat tensor, and which places are real: both (B, T).

    Row k goes from offsets[k] to offsets[k + 1]; T is the length of the longest chosen one.
    """
    start = offsets[rows]
    length = offsets[rows + 1] - start
    steps = torch.arange(int(length.max()) if len(rows) else 0)
    places = (start[:, None] + steps).clamp_(max=max(int(offsets[-1]) - 1, 0))
    return places, steps < length[:, None]


class Preprocessor(ABC):
    """Raw values of one role -> `Column`. One class per modality; the recipe section `[<stream>]` configures it.

    A subclass is a plain class whose `__init__` takes keyword options of plain values (the recipe's keys) and which
    keeps them in `self.options`. The registry is `data/<modality>.py`: each defines `Preprocess = <its class>`.
    """

    stream: ClassVar[str]  # the field of Batch that it fills: "text", "regions", ...
    role: ClassVar[str]  # the role of Example that it reads: "text", "images", ...
    options: dict[str, Any]
    fits_on_all: bool = False  # fit on every row that is read, not on training rows only: some published code does

    @abstractmethod
    def fit(self, examples: Sequence[Example]) -> Self:
        """Learn what must be learnt (vocabulary, statistics) from training examples; returns itself."""

    @abstractmethod
    def encode(self, examples: Sequence[Example]) -> Column:
        """All examples encoded, in order. Raises `RowError` (or an ExceptionGroup of them) naming bad rows."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Sizes a model config takes from the data, by the config's field name: {"vocab_size": 30522}."""
        return {}

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write `preprocess.json` and whatever belongs to it into `folder` (which exists)."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""


class EncodedDataset(Dataset[Batch]):
    """Examples encoded column by column; `batch` gathers any positions into a `Batch`.

    `visit` is (seed, epoch) while a loop trains on the examples and None otherwise: for data sets that make something
    else of an example on each visit.
    """

    visit: tuple[int, int] | None = None

    def __init__(
        self, examples: Sequence[Example], streams: Mapping[str, Column], targets: Mapping[str, Column]
    ) -> None:
        for name, column in [*streams.items(), *targets.items()]:
            if len(column) != len(examples):
                raise ValueError(f"column {name!r} has {len(column)} rows for {len(examples)} examples")
        self.examples = list(examples)
        self.streams = dict(streams)
        self.targets = dict(targets)

    def __len__(self) -> int:
        return len(self.examples)

    def batch(self, positions: Tensor) -> Batch:
        """The examples at `positions` (1-d int64), gathered and padded."""
        known = set(Batch.__dataclass_fields__)
        named: dict[str, Any] = {k: c.gather(positions) for k, c in self.streams.items() if k in known}
        more = {k: c.gather(positions) for k, c in self.streams.items() if k not in known}
        targets = {head: column.gather(positions) for head, column in self.targets.items()}
        ids = tuple(self.examples[i].id for i in positions.tolist())
        return Batch(**named, more=more, targets=targets, ids=ids)  # type: ignore[arg-type]

    def __getitem__(self, position: int) -> Batch:
        return self.batch(torch.tensor([position]))

    def lengths(self) -> Tensor | None:
        """(examples,) the sum of the columns' lengths, for length buckets."""
        known = [n for c in self.streams.values() if (n := c.lengths()) is not None]
        return torch.stack(known).sum(0) if known else None

    def notes(self) -> list[str]:
        """What a person should be told of how the examples were read."""
        return [note for column in self.streams.values() for note in column.notes()]
