"""Which matrix kernel multiplies float32 on this machine's CPU.

torch sends float32 products to MKL. On some processors (AMD) MKL takes a half-rate path, and oneDNN, inside the same
torch, reaches twice its speed; on Intel the two are equal. Which is faster, and whether it is as exact, is measured
once, when first asked, and never assumed: the switch that reroutes to oneDNN also *permits* it to round to bfloat16 on
processors with AMX, so the probe compares with float64 and refuses a kernel that rounds.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

Kernel = Literal["default", "onednn"]

_PRECISION: dict[Kernel, str] = {"default": "highest", "onednn": "medium"}
_GAIN = 1.25  # how much faster oneDNN must be: a smaller gain is within the noise, and a choice should not flip
_ERROR = 1e-5  # largest error, relative to the largest result, of a true float32 product of inner size 768


def current() -> Kernel:
    """The kernel in use now."""
    return "default" if torch.get_float32_matmul_precision() == "highest" else "onednn"


def use(kernel: Kernel) -> None:
    """Multiply with `kernel` from now on, everywhere in the process."""
    if kernel not in _PRECISION:
        raise ValueError(f"unknown kernel {kernel!r}; known: {', '.join(_PRECISION)}")
    torch.set_float32_matmul_precision(_PRECISION[kernel])


@contextmanager
def using(kernel: Kernel) -> Iterator[None]:
    """`use` inside a `with` block."""
    before = torch.get_float32_matmul_precision()
    use(kernel)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@functools.lru_cache(maxsize=1)
def choice() -> Kernel:
    """The kernel to use here: the faster one whose products are float32. Measured once a process (about 30 ms)."""
    if not torch.backends.mkldnn.is_available():
        return "default"
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(640, 768, generator=generator)
    weight = torch.randn(768, 768, generator=generator)
    exact = x.double() @ weight.double().T
    with using("onednn"):
        if _relative_error(x @ weight.T, exact) > _ERROR:
            return "default"
    return "onednn" if _seconds("default", x, weight) > _GAIN * _seconds("onednn", x, weight) else "default"


def _relative_error(product: Tensor, exact: Tensor) -> float:
    return float((product.double() - exact).abs().max() / exact.abs().max())


def _seconds(kernel: Kernel, x: Tensor, weight: Tensor) -> float:
    """The best of seven products: the least disturbed one."""
    with using(kernel), torch.inference_mode():
        times = []
        for _ in range(7):
            start = time.perf_counter()
            torch.nn.functional.linear(x, weight)
            times.append(time.perf_counter() - start)
    return min(times)
