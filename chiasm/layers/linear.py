"""The only linear layer of the transformer bricks: where the choice of matrix kernel takes effect."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from chiasm.layers import kernels


class Linear(nn.Linear):
    """y = x W^T + b, the same numbers and the same state as `nn.Linear`.

    At inference in float32 on a CPU where oneDNN is the kernel in use, W is kept a second time in oneDNN's own
    blocked layout, so that no product reorders it, and a gelu that follows is computed inside the product. The copy
    is made at the first use and again whenever W changes or may have been trained; it is no part of the state and is
    never saved.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self._packed: dict[tuple[int, int], tuple[tuple[int, int], Tensor]] = {}

    def forward(self, x: Tensor) -> Tensor:
        """(..., F) -> (..., D)."""
        return self._product(x, 0, self.out_features, "none")

    def gelu(self, x: Tensor) -> Tensor:
        """(..., F) -> (..., D): gelu(x W^T + b), gelu in its exact form."""
        return self._product(x, 0, self.out_features, "gelu")

    def part(self, x: Tensor, start: int, stop: int) -> Tensor:
        """(..., F) -> (..., stop - start): only the outputs from `start` to `stop`."""
        return self._product(x, start, stop, "none")

    def _product(self, x: Tensor, start: int, stop: int, then: str) -> Tensor:
        if self._packs(x):
            weight, bias = self._packed_weight(start, stop), self.bias[start:stop]
            algorithm = "none" if then == "gelu" else None  # "none": the erf form, not the tanh approximation
            return torch.ops.mkldnn._linear_pointwise(x, weight, bias, then, [], algorithm)
        if torch.is_grad_enabled():
            # A training step may follow, and torch's fused optimisers change W without raising its version.
            self._packed.clear()
        y = nn.functional.linear(x, self.weight[start:stop], self.bias[start:stop])
        return nn.functional.gelu(y) if then == "gelu" else y

    def _packs(self, x: Tensor) -> bool:
        return (
            x.device.type == "cpu"
            and x.dtype == self.weight.dtype == torch.float32
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
            and not torch.compiler.is_compiling()
            and kernels.current() == "onednn"
        )

    def _packed_weight(self, start: int, stop: int) -> Tensor:
        state = (self.weight.data_ptr(), self.weight._version)
        known = self._packed.get((start, stop))
        if known is None or known[0] != state:
            packed = torch.ops.mkldnn._reorder_linear_weight(self.weight[start:stop].detach().contiguous())
            known = self._packed[start, stop] = (state, packed)
        return known[1]

    def __getstate__(self) -> dict[str, Any]:
        """Copies of the module begin without the packed weights."""
        return {**self.__dict__, "_packed": {}}
