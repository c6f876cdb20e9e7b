"""BERT's initialisation."""

from __future__ import annotations

from torch import nn


def initialise(module: nn.Module, std: float = 0.02) -> None:
    """Linear and embedding weights N(0, std), biases 0, layer norms at 1 and 0, in place and in module order.

    The rows at an embedding's `padding_idx` are drawn like the others, as in the released LXMERT code (sheet,
    section 3): they stay at that value, since they get no gradient.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
        if isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
