"""Single matrix products by each kernel and precision, GFLOP/s of one thread in processor seconds, the best of several.

python benchmarks/kernels.py            # a minute; other work on the machine disturbs it little
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from chiasm.layers import int8, kernels

SHAPES = ((768, 768), (768, 3072), (3072, 768))  # inner and outer size: LXMERT's projections and feed-forward networks


def best(call: Callable[[], object], rounds: int) -> float:
    """Processor seconds of the quickest of several calls."""
    call()
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds)


def rates(rows: int, inner: int, outer: int, rounds: int) -> dict[str, float]:
    """GFLOP/s of x W^T for x (rows, inner), W (outer, inner)."""
    x, weight, bias = torch.randn(rows, inner), torch.randn(outer, inner), torch.randn(outer)
    pack = torch.ops.mkldnn._reorder_linear_weight
    product = torch.ops.mkldnn._linear_pointwise
    single, half = pack(weight), pack(weight.bfloat16())
    states, half_bias, rounded = x.bfloat16(), bias.bfloat16(), int8.pack(weight)
    values = torch.randint(-127, 127, (rows, inner), dtype=torch.int8)

    def default() -> object:
        with kernels.using("default"):
            return torch.nn.functional.linear(x, weight, bias)

    calls: dict[str, Callable[[], object]] = {
        "float32 default": default,
        "float32 oneDNN packed": lambda: product(x, single, bias, "none", [], None),
        "bfloat16 packed": lambda: product(states, half, half_bias, "none", [], None),
        "int8 product alone": lambda: torch._int_mm(values, rounded.values),
        "int8 with rounding": lambda: int8.linear(x, rounded, bias, "none"),
    }
    operations = 2 * rows * inner * outer / 1e9
    return {name: operations / best(call, rounds) for name, call in calls.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=int, default=[36, 640])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with torch.inference_mode():
        for rows in options.rows:
            for inner, outer in SHAPES:
                found = rates(rows, inner, outer, options.rounds)
                shown = ", ".join(f"{name} {rate:.0f}" for name, rate in found.items())
                print(f"{rows} x {inner} x {outer}: {shown}", flush=True)


if __name__ == "__main__":
    main()
