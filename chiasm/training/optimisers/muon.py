"""Muon (Jordan et al. 2024): hidden matrices move by their momentum made orthogonal, everything else by AdamW.

    m = mu m + (1 - mu) g        n = mu m + (1 - mu) g        n = U S V^T
    W = (1 - lr decay) W - lr 0.2 sqrt(max(rows, columns)) U V^T

n is Nesterov's momentum, U S V^T its singular value decomposition. An Adam step of a matrix moves it along few
directions; an orthogonal one along all of them alike. On the questions of the generated world it takes half of AdamW's
steps (docs/results/lxmert.md). The factor 0.2 sqrt(max(rows, columns)) gives the update the size of AdamW's (Liu et al.
2025, section 2.2), so that one rate serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

_QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: steep at 0, and between 0.7 and 1.2 on (0.1, 1)
_QKV = {"*.qkv.weight": 3}  # query, key and value, stacked, are three matrices


def orthogonalised(matrices: Tensor, steps: int) -> Tensor:
    """(N, R, C) with R <= C -> (N, R, C): U V^T of each U S V^T, roughly: singular values near 1 (0.7 to 1.2).

    Newton and Schulz's iteration X <- a X + (b A + c A^2) X, A = X X^T, from X = matrix / |matrix|_F. A matrix of zeros
    stays one.
    """
    a, b, c = _QUINTIC
    x = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


class Muon(AdamW):
    """AdamW whose groups with a `momentum` hold matrices that move as above.

    A matrix that is several (query, key and value; or all their heads) is cut into `blocks` of rows first.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], **options: Any) -> None:
        super().__init__(groups, **options)
        # A float16 scaler then unscales before the step and skips it whole, not inside AdamW's fused kernel alone.
        self._step_supports_amp_scaling = False

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update."""
        groups = self.param_groups
        self.param_groups = [group for group in groups if "momentum" not in group]
        try:
            result = super().step(closure)
        finally:
            self.param_groups = groups
        for group in groups:
            if "momentum" in group:
                self._move(group)
        return result

    def _move(self, group: dict[str, Any]) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        if not parameters:
            return
        gradients: list[Tensor] = [p.grad for p in parameters]
        momenta = self._momenta(parameters)
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        updates = torch._foreach_lerp(gradients, momenta, group["momentum"])
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        for blocks, moves in _by_shape(parameters, updates, group["blocks"]):
            size = 0.2 * max(moves.shape[1:]) ** 0.5
            torch._foreach_add_(blocks, orthogonalised(moves, group["steps"]).unbind(), alpha=-group["lr"] * size)

    def _momenta(self, parameters: list[nn.Parameter]) -> list[Tensor]:
        """m of each parameter, zero at first."""
        for p in parameters:
            if not self.state[p]:
                self.state[p] = {"momentum": torch.zeros_like(p), "step": torch.zeros(())}  # AdamW reads it on loading
        return [self.state[p]["momentum"] for p in parameters]


def _by_shape(
    parameters: Sequence[nn.Parameter], updates: Sequence[Tensor], blocks: int
) -> list[tuple[list[Tensor], Tensor]]:
    """The parameters' blocks by their shape, lying so that rows <= columns; with each shape's updates stacked."""
    found: dict[torch.Size, tuple[list[Tensor], list[Tensor]]] = {}
    for parameter, update in zip(parameters, updates, strict=True):
        rows = [whole.flatten(0, -2).chunk(blocks) for whole in (parameter, update)]
        for block, move in zip(*rows, strict=True):
            if block.shape[0] > block.shape[1]:
                block, move = block.mT, move.mT
            weights, moves = found.setdefault(block.shape, ([], []))
            weights.append(block)
            moves.append(move)
    return [(weights, torch.stack(moves)) for weights, moves in found.values()]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def build(
    parameters: Iterable[tuple[str, nn.Parameter]],
    lr: float,
    weight_decay: float,
    *,
    matrix_rate: float = 1.0,
    momentum: float = 0.95,
    steps: int = 5,
    others: Sequence[str] = ("*embedding*", "*scores*"),
    blocks: Mapping[str, int] = _QKV,
    stacks: Sequence[str] = (),
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> Optimizer:
    """Muon for the matrices, AdamW for vectors, kernels of convolutions and the matrices named by `others`.

    `others`, `stacks` and the keys of `blocks` are patterns of parameters' names. `blocks` says into how many blocks of
    rows a matrix is cut (three for query, key and value; three times the heads for each head's own), `stacks` which
    parameters of three dimensions are matrices (N, R, C), not kernels. The matrices' rate is `matrix_rate` times `lr`.
    Raises `ValueError` when a matrix has no such number of equal blocks.
    """
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    matrices: dict[int, list[nn.Parameter]] = {}  # by the number of their blocks
    for name, p in parameters:
        stacked = p.ndim == 3 and _matches(name, stacks)
        if not (p.ndim == 2 or stacked) or _matches(name, others):
            (decayed if p.ndim > 1 else kept).append(p)
            continue
        count = len(p) if stacked else next((n for pattern, n in blocks.items() if fnmatchcase(name, pattern)), 1)
        if count < 1 or p.shape[0] % count:
            raise ValueError(
                f"{name} has {p.shape[0]} rows, not {count} equal blocks (training.optimizer_options.blocks)"
            )
        matrices.setdefault(count, []).append(p)
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": kept, "weight_decay": 0.0}]
    own = {"lr": matrix_rate * lr, "momentum": momentum, "steps": steps}
    groups += [{"params": found, "blocks": count, **own} for count, found in matrices.items()]
    plain = [*decayed, *kept]
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in plain)
    given = [group for group in groups if group["params"]]
    return Muon(given, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused)
