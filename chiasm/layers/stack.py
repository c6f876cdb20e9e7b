"""Layers one after another, with their type known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar, cast

from torch import nn

M = TypeVar("M", bound=nn.Module)


class Stack(nn.ModuleList, Generic[M]):
    """A `ModuleList` whose layers all have the type M."""

    def __iter__(self) -> Iterator[M]:
        return cast("Iterator[M]", super().__iter__())

    def layers(self) -> list[M]:
        """The layers, first to last."""
        return list(self)
