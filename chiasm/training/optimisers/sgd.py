"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import Optimizer


def build(
    parameters: Iterable[tuple[str, nn.Parameter]],
    lr: float,
    weight_decay: float,
    *,
    momentum: float = 0.9,
    nesterov: bool = False,
) -> Optimizer:
    """SGD over all parameters, weight decay on all of them."""
    chosen = [p for _, p in parameters]
    return torch.optim.SGD(chosen, lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov)
