"""A bidirectional GRU over slots of which only some are real, beside torch's packed sequence, forward and backward.

    python benchmarks/recurrent.py [--rounds 5] [--threads 1]

Sizes are those of a conversation (COIN: 32 windows of 41 utterances, width 100) and of translation (Multi30k: 128
sentences of 13 words, width 512), with different shares of real slots. Both sides take turns; the least processor time
of each counts. That both give the same is checked.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from chiasm.layers.recurrent import SkippingGRU

SIZES = {"conversation": (32, 41, 200, 100), "translation": (128, 13, 256, 512)}
SHARES = {"all": (1.0, 1.0), "0.6 to 1": (0.6, 1.0), "0.05 to 1": (0.05, 1.0), "0.05 to 0.5": (0.05, 0.5)}


def packed(model: SkippingGRU, x: Tensor, mask: Tensor) -> Tensor:
    """What torch offers; the real slots come first here."""
    rows = pack_padded_sequence(x, mask.sum(1), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(model.gru(rows)[0], batch_first=True, total_length=x.shape[1])[0]


def seconds(work: Callable[[], Tensor], model: SkippingGRU) -> float:
    """Processor time of one forward and backward pass."""
    model.zero_grad()
    started = time.process_time()
    work().sum().backward()
    return time.process_time() - started


def measure(size: str, share: str, rounds: int) -> dict[str, float]:
    """Milliseconds of both sides and their ratio."""
    batch, slots, features, width = SIZES[size]
    torch.manual_seed(0)
    model, x = SkippingGRU(features, width), torch.randn(batch, slots, features, requires_grad=True)
    low, high = SHARES[share]
    lengths = ((low + (high - low) * torch.rand(batch)) * slots).round().clamp(min=1)
    mask = torch.arange(slots) < lengths[:, None]
    torch.testing.assert_close(model(x, mask), packed(model, x, mask), rtol=0, atol=1e-5)
    times: dict[str, list[float]] = {"packed": [], "ours": []}
    for _ in range(rounds):
        times["packed"].append(seconds(lambda: packed(model, x, mask), model))
        times["ours"].append(seconds(lambda: model(x, mask), model))
    found = {name: 1000 * min(values) for name, values in times.items()}
    return found | {"ratio": found["packed"] / found["ours"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/recurrent.json"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    results = {}
    for size in SIZES:
        for share in SHARES:
            found = measure(size, share, args.rounds)
            results[f"{size}, {share}"] = found
            print(f"{size:<13} real slots {share:<12}", end="")
            print(f"packed {found['packed']:7.1f} ms   ours {found['ours']:7.1f} ms   x{found['ratio']:.2f}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
