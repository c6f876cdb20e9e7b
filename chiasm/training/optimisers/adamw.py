"""AdamW, in torch's fused form; weight decay on matrices only."""

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
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    decay_vectors: bool = False,
) -> Optimizer:
    """AdamW over the parameters. Biases and norms (one dimension) decay only when `decay_vectors` says so.

    The fused form updates all tensors in one pass over memory; torch has it for CPU and CUDA.
    """
    named = list(parameters)
    decayed = [p for _, p in named if p.ndim > 1 or decay_vectors]
    kept = [p for _, p in named if not (p.ndim > 1 or decay_vectors)]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for _, p in named)
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=lr, betas=betas, eps=eps, fused=fused)
