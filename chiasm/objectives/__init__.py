"""Losses, named by what they measure. Each is a function (scores, targets) -> scalar mean over its cases."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Objective = Callable[[Tensor, Tensor], Tensor]
