"""Glorot's initialisation (Glorot and Bengio, AISTATS 2010)."""

from __future__ import annotations

from torch import nn


def glorot(module: nn.Module) -> None:
    """Weights of linear layers uniform with variance 2 / (inputs + outputs), biases 0, in place and in module order."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
