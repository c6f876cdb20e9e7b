"""The only linear layer of the transformer bricks: where the choice of matrix kernel and precision takes effect."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from chiasm.layers import int8, kernels

Precision = Literal["float32", "bfloat16", "int8"]
Pack = tuple[tuple[int, int], Any]  # which weight it was made of, and the weight as its kernel wants it


class Linear(nn.Linear):
    """y = x W^T + b, the same numbers and the same state as `nn.Linear`.

    Without gradients on a CPU W is kept a second time, as the kernel in use wants it:

    - float32, where oneDNN is the kernel in use: in oneDNN's own blocked layout, so that no product reorders it, and a
      gelu that follows is computed inside the product; the same numbers but for roundings
    - `precision` bfloat16 or int8: rounded so (see `chiasm.layers.precision`)

    The copy is made at the first use and again whenever W changes or may have been trained; it is no part of the
    state and is never saved.
    """

    def __init__(self, in_features: int, out_features: int, *, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self.precision: Precision = "float32"
        self._packed: dict[tuple[str, int, int], Pack] = {}

    def forward(self, x: Tensor) -> Tensor:
        """(..., F) -> (..., D)."""
        return self._product(x, 0, self.out_features, "none")

    def gelu(self, x: Tensor) -> Tensor:
        """(..., F) -> (..., D): gelu(x W^T + b), gelu in its exact form."""
        return self._product(x, 0, self.out_features, "gelu")

    def part(self, x: Tensor, start: int, stop: int) -> Tensor:
        """(..., F) -> (..., stop - start): only the outputs from `start` to `stop`."""
        return self._product(x, start, stop, "none")

    def rounded(self, x: Tensor) -> Tensor:
        """Any shape -> the same, rounded to bfloat16 when this layer will multiply so.

        A layer answers in the type of its input. A brick that rounds its input once has bfloat16 between its products.
        """
        return x.to(torch.bfloat16) if self._kind(x) == "bfloat16" else x

    def _product(self, x: Tensor, start: int, stop: int, then: str) -> Tensor:
        kind = self._kind(x)
        if kind is not None:
            bias, packed = self._bias(start, stop), self._pack(kind, start, stop)
            if kind == "int8":
                return int8.linear(x, packed, bias, then)
            states = self.rounded(x)
            algorithm = "none" if then == "gelu" else None  # "none": the erf form, not the tanh approximation
            y = torch.ops.mkldnn._linear_pointwise(
                states, packed, None if bias is None else bias.to(states.dtype), then, [], algorithm
            )
            return y.to(x.dtype)
        if torch.is_grad_enabled():
            # A training step may follow, and torch's fused optimisers change W without raising its version.
            self._packed.clear()
        weight = self.weight
        if (start, stop) != (0, self.out_features):  # a slice of everything would cost a copy of the gradient
            weight = weight[start:stop]
        y = nn.functional.linear(x, weight, self._bias(start, stop))
        return nn.functional.gelu(y) if then == "gelu" else y

    def _bias(self, start: int, stop: int) -> Tensor | None:
        bias: Tensor | None = self.bias
        return bias if bias is None or (start, stop) == (0, self.out_features) else bias[start:stop]

    def _kind(self, x: Tensor) -> str | None:
        """How W is packed for this product: "float32", "bfloat16" or "int8"; None: it is not."""
        if (
            x.device.type != "cpu"
            or self.weight.dtype != torch.float32
            or torch.is_grad_enabled()
            or torch.is_autocast_enabled("cpu")
            or torch.compiler.is_compiling()
        ):
            return None
        if self.precision != "float32":
            return self.precision
        return "float32" if x.dtype == torch.float32 and kernels.current() == "onednn" else None

    def _pack(self, kind: str, start: int, stop: int) -> Any:
        state = (self.weight.data_ptr(), self.weight._version)
        known = self._packed.get((kind, start, stop))
        if known is None or known[0] != state:
            weight = self.weight[start:stop].detach().contiguous()
            known = self._packed[kind, start, stop] = (state, _packed(kind, weight))
        return known[1]

    def __getstate__(self) -> dict[str, Any]:
        """Copies of the module begin without the packed weights."""
        return {**self.__dict__, "_packed": {}}


def _packed(kind: str, weight: Tensor) -> Any:
    if kind == "int8":
        return int8.pack(weight)
    return torch.ops.mkldnn._reorder_linear_weight(weight.to(getattr(torch, kind)))
