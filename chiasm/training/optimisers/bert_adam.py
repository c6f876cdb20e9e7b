"""BertAdam, the optimiser with which BERT's authors and LXMERT's trained.

    m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
    update = m / (sqrt(v) + eps) + decay p          p -= lr update

No bias correction, so that early steps are larger than Adam's: for a constant gradient m / sqrt(v) is 3.16 at step 1,
4.5 at step 50 and 1.26 at step 1,000. The decay acts on every parameter, biases and norms included, that has a
gradient; parameters without one are left alone. Warm-up and decay of `lr` are the loop's, and start at 0: the first
step changes nothing, as in the released code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class BertAdam(Optimizer):
    """Adam without bias correction, with decoupled weight decay on everything.

    # Differs: the released code counts steps per parameter for the schedule; here the loop counts them once. The two
    agree for parameters that have a gradient from the first step on.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update. Several tensors are updated by one call (`torch._foreach_*`), for speed."""
        result = None
        if closure is not None:
            with torch.enable_grad():
                result = closure()
        for group in self.param_groups:
            self._update(group)
        return result

    def _update(self, group: dict[str, Any]) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        if not parameters:
            return
        gradients: list[Tensor] = [p.grad for p in parameters]
        first, second = self._moments(parameters)
        b1, b2 = group["betas"]
        torch._foreach_lerp_(first, gradients, 1 - b1)
        torch._foreach_mul_(second, b2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - b2)
        divisor = torch._foreach_sqrt(second)
        torch._foreach_add_(divisor, group["eps"])
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_addcdiv_(parameters, first, divisor, -group["lr"])

    def _moments(self, parameters: list[nn.Parameter]) -> tuple[list[Tensor], list[Tensor]]:
        """m and v of each parameter, zero at first."""
        for p in parameters:
            if not self.state[p]:
                self.state[p] = {"m": torch.zeros_like(p), "v": torch.zeros_like(p)}
        return [self.state[p]["m"] for p in parameters], [self.state[p]["v"] for p in parameters]


def build(
    parameters: Iterable[tuple[str, nn.Parameter]],
    lr: float,
    weight_decay: float,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-6,
) -> Optimizer:
    """BertAdam over all parameters in one group."""
    return BertAdam([p for _, p in parameters], lr=lr, weight_decay=weight_decay, betas=betas, eps=eps)
