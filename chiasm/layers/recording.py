"""Recording what a forward pass computed on its way: attention probabilities, gates, affinities.

A layer that has something to show passes it through a `Tap`. Outside `record` a tap is the identity and costs
nothing; inside, it keeps what passes. The answer does not change, because nothing else does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class Tap(nn.Module):
    """The identity, which `record` can listen to."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] | None = None
        self.keep_grad = False

    def forward(self, value: Tensor) -> Tensor:
        """Any shape -> the same tensor."""
        if self.seen is not None:
            self.seen.append(value if self.keep_grad else value.detach())
        return value


def is_recording(module: nn.Module) -> bool:
    """Whether a tap in `module` is being listened to."""
    return any(tap.seen is not None for tap in module.modules() if isinstance(tap, Tap))


def keeps_grad(module: nn.Module) -> bool:
    """Whether a tap in `module` is listened to inside the autograd graph."""
    return any(t.seen is not None and t.keep_grad for t in module.modules() if isinstance(t, Tap))


@contextmanager
def record(module: nn.Module, *, keep_grad: bool = False) -> Iterator[dict[str, list[Tensor]]]:
    """Listen to every tap of `module`: yields tap name -> what passed it, one tensor per call.

    With `keep_grad` the tensors stay in the autograd graph, so that scores can be differentiated by them.
    """
    taps = {name: tap for name, tap in module.named_modules() if isinstance(tap, Tap)}
    if any(tap.seen is not None for tap in taps.values()):
        raise RuntimeError("this module is being recorded already; `record` does not nest")
    recorded: dict[str, list[Tensor]] = {}
    try:
        for name, tap in taps.items():
            tap.seen, tap.keep_grad = recorded.setdefault(name, []), keep_grad
        yield recorded
    finally:
        for tap in taps.values():
            tap.seen, tap.keep_grad = None, False


@contextmanager
def paused(module: nn.Module) -> Iterator[None]:
    """Inside a recording, let something pass unseen."""
    taps = [tap for tap in module.modules() if isinstance(tap, Tap)]
    seen = [tap.seen for tap in taps]
    try:
        for tap in taps:
            tap.seen = None
        yield
    finally:
        for tap, was in zip(taps, seen, strict=True):
            tap.seen = was
