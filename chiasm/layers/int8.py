"""Products of 8-bit integers, with a scale for each output and for each position (dynamic quantisation).

    y_ij = a_i b_j sum_k X_ik W_jk + bias_j,    X = round(x / a), a_i = max_k |x_ik| / 127,    b_j = max_k |w_jk| / 127

A scale for each position, not one for all of them, so that one large state does not coarsen the others.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

LARGEST = 127.0


class Packed(NamedTuple):
    """A weight in 8 bits."""

    values: Tensor  # (F, D) int8, transposed
    scale: Tensor  # (D,) float32


def pack(weight: Tensor) -> Packed:
    """(D, F) float32 -> the weight in 8 bits, a scale for each of the D outputs."""
    scale = _scale(weight)  # (D, 1)
    values = (weight / scale).round_().to(torch.int8)
    return Packed(values.t(), scale[:, 0])


def linear(x: Tensor, packed: Packed, bias: Tensor | None, then: str) -> Tensor:
    """(..., F) -> (..., D): x W^T + b in 8 bits, then "none" or "gelu"; float32."""
    rows = x.reshape(-1, x.shape[-1]).float()  # (N, F)
    scale = _scale(rows)  # (N, 1)
    values = (rows / scale).round_().to(torch.int8)
    y = torch._int_mm(values, packed.values).float()  # (N, D)
    y.mul_(scale)
    y = y.mul_(packed.scale) if bias is None else torch.addcmul(bias, y, packed.scale, out=y)
    y = nn.functional.gelu(y) if then == "gelu" else y
    return y.view(*x.shape[:-1], -1)


def _scale(rows: Tensor) -> Tensor:
    """(N, F) -> (N, 1): what one step of an 8-bit value is worth in each row."""
    return rows.abs().amax(1, keepdim=True).div_(LARGEST).clamp_(min=torch.finfo(rows.dtype).tiny)
