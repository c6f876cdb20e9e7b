"""A text vector and a table row -> one vector: a file here is a combining method, found by its name.

Table 1 of Gu and Budhkar (2021). x is the text (d), c the categories, n the numbers; || joins. A modality of size 0
is not there, and its part of every formula drops out. A method file defines `Combine`, a subclass of `Combiner`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from torch import Tensor, nn

from chiasm.layers.mlp import Mlp, shrinking_sizes
from chiasm.registry import find, names


@dataclass(frozen=True)
class Sizes:
    """What a combining method is built from: sizes of the three vectors, and how its perceptrons are made."""

    text: int
    categories: int
    numbers: int
    division: int = 4  # each hidden layer of a perceptron is this many times smaller than the one before
    dropout: float = 0.1
    categories_batch_norm: bool = True
    numbers_batch_norm: bool = True
    beta: float = 0.2  # gating only: the largest length of the table's shift, in lengths of the text vector

    def mlp(self, input_size: int, output_size: int, *, batch_norm: bool) -> Mlp:
        """A perceptron with the released rule for its hidden sizes."""
        hidden = shrinking_sizes(input_size, output_size, division=self.division)
        return Mlp(input_size, hidden, output_size, batch_norm=batch_norm, dropout=self.dropout)


class Combiner(nn.Module, ABC):
    """x (B, D), c (B, C'), n (B, C) -> m (B, `output_size`)."""

    output_size: int

    @abstractmethod
    def forward(self, text: Tensor, categories: Tensor, numbers: Tensor) -> Tensor: ...

    def gates(self) -> Mapping[str, str]:
        """What can be recorded on the way: name of a tap in this module -> what it shows."""
        return {}


def combiner_names() -> list[str]:
    """All combining methods."""
    return names(__name__, __path__)


def combiner(name: str) -> ModuleType:
    """The file of the combining method `name`; an unknown one is an error with the nearest known name."""
    return find(__name__, __path__, name, what="combining method")
