"""In which precision a model multiplies when it answers: float32, or rounded to bfloat16 or int8 for speed.

The weights stay as they are: `set_precision(model, "float32")` takes it back, and what is saved or trained is never
rounded. How much an answer changes depends on the model; `chiasm evaluate BUNDLE --precision int8` measures it.
"""

from __future__ import annotations

from typing import get_args

from torch import nn

from chiasm.layers.linear import Linear, Precision


def set_precision(model: nn.Module, precision: Precision) -> None:
    """Multiply in this precision from now on, in every `chiasm.layers.linear.Linear` of the model, without gradients.

    - bfloat16: products of rounded weights and states; inside attention and feed-forward networks, and in models that
      say so throughout, what lies between two products is bfloat16 too
    - int8: each output's weights and each position's states as 8-bit integers with a scale; the rest is float32

    On a CPU only. Raises ValueError for a model elsewhere, one without such layers, or an unknown precision.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"unknown precision {precision!r}; known: {', '.join(get_args(Precision))}")
    layers = [module for module in model.modules() if isinstance(module, Linear)]
    if not layers and precision != "float32":
        raise ValueError(f"{type(model).__name__} has no layer that multiplies in {precision}: it stays in float32")
    elsewhere = next((layer.weight.device for layer in layers if layer.weight.device.type != "cpu"), None)
    if elsewhere is not None and precision != "float32":
        raise ValueError(f"{precision} is for a CPU, the model is on {elsewhere}: use torch.autocast there")
    for layer in layers:
        layer.precision = precision
