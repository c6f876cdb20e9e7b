"""CMR's relational branch beside the literal one: same weights, one process, in turn; time and the peak of memory.

    python benchmarks/cmr.py                                  # batches 1, 8, 32; minutes on two cores
    python benchmarks/cmr.py --batches 1 --rounds 3 --threads 1
    python benchmarks/cmr.py --small                          # small sizes, to see that everything runs
    python benchmarks/cmr.py --json | tail -1                 # the last line is one JSON object

Both take 20 words and 36 regions of 768 numbers a text and image, rank the pairs of either side and give the affinities
of the ten best (section 3.4). The literal one is as the released code pairs words: every i beside every j,
(36, 36, 1536) numbers an image, all through both networks; then the upper triangle is ranked. Ours enumerates pairs
once, applies the first layer before pairing, joins the two linear layers before the score, and finishes only the pairs
that are chosen. A ratio of 2 is half the time, or half the memory at its highest above what inputs and weights hold.
`training` has the backward pass, too. Time is processor seconds, the best of several, and memory what torch allocates
(its profiler's account): other work disturbs them little.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from lxmert_setup import Figures
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from chiasm.fusion.relevance import Relations, dot
from chiasm.layers import kernels

WORDS, REGIONS, SIZE, TOP = 20, 36, 768, 10
SMALL = (8, 10, 16)


class Literal(nn.Module):
    """Pairs of one side as the formulas stand: [s_i; s_j] of all i and j, MLP_1, MLP_2, W, the best of i < j."""

    def __init__(self, ours: Relations) -> None:
        super().__init__()
        self.pair = nn.Sequential(ours.first, nn.ReLU(), ours.second)  # the very same weights
        self.score = ours.score

    def forward(self, entities: Tensor, importance: Tensor) -> Tensor:
        """(B, N, D), (B, N) -> (B, K, D)."""
        count = entities.shape[1]
        first = entities[:, :, None].expand(-1, -1, count, -1)
        second = entities[:, None].expand(-1, count, -1, -1)
        vectors = self.pair(torch.cat([first, second], -1))  # (B, N, N, D)
        scores = self.score(vectors)[..., 0]  # (B, N, N)
        above = torch.ones(count, count, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(~above, torch.finfo(scores.dtype).min).flatten(1).softmax(-1)
        ranking = scores * (importance[:, :, None] * importance[:, None]).flatten(1)
        ranking = ranking.masked_fill(~above.flatten(), torch.finfo(scores.dtype).min)
        places = ranking.topk(TOP, dim=-1).indices
        return vectors.flatten(1, 2).gather(1, places[..., None].expand(-1, -1, vectors.shape[-1]))


def branches(sizes: tuple[int, int, int]) -> tuple[list[Relations], list[Literal]]:
    """Ours and the literal ones, of words and of regions, with the same weights."""
    words, regions, size = sizes
    torch.manual_seed(0)
    ours = [Relations(size, count, top_k=TOP) for count in (words, regions)]
    for module in ours:
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=size**-0.5)
    return ours, [Literal(module) for module in ours]


def inputs(batch: int, sizes: tuple[int, int, int]) -> tuple[list[Tensor], list[Tensor]]:
    """Words and regions, and what each is worth beside the other side."""
    words, regions, size = sizes
    generator = torch.Generator().manual_seed(batch)
    entities = [torch.randn(batch, count, size, generator=generator) for count in (words, regions)]
    affinity = dot(entities[0], entities[1])
    return entities, [affinity.amax(2), affinity.amax(1)]


def in_turn(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """Processor seconds of each call, called in turn, the best of several."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, seconds in zip(calls, found, strict=True):
            start = time.process_time()
            call()
            seconds.append(time.process_time() - start)
    return [min(seconds) for seconds in found]


def peak(call: Callable[[], object]) -> int:
    """Bytes at the highest that a call holds above what was there before it."""
    call()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        call()
    assert seen.profiler is not None
    results = seen.profiler.kineto_results
    assert results is not None
    changes = [(one.start_ns(), one.nbytes()) for one in results.events() if one.name() == "[memory]"]
    if not changes:
        raise RuntimeError("torch's profiler recorded no memory")
    held = highest = 0
    for _, change in sorted(changes):
        held += change
        highest = max(highest, held)
    return highest


def compare(figures: Figures, batch: int, sizes: tuple[int, int, int], rounds: int) -> None:
    """Answering and training, one batch size."""
    ours, literal = branches(sizes)
    entities, importance = inputs(batch, sizes)
    own = [states.clone().requires_grad_() for states in entities]

    def mine(states: list[Tensor]) -> Tensor:
        return dot(*(f(x, v, None) for f, x, v in zip(ours, states, importance, strict=True)))

    def theirs(states: list[Tensor]) -> Tensor:
        return dot(*(f(x, v) for f, x, v in zip(literal, states, importance, strict=True)))

    def answering(call: Callable[[list[Tensor]], Tensor]) -> Callable[[], object]:
        def run() -> Tensor:
            with torch.inference_mode():
                return call(entities)

        return run

    def training(call: Callable[[list[Tensor]], Tensor]) -> Callable[[], object]:
        def run() -> None:
            call(own).square().mean().backward()
            for states in own:
                states.grad = None
            for module in ours:
                module.zero_grad(set_to_none=True)

        return run

    with torch.inference_mode():
        expected, found = theirs(entities), mine(entities)
    difference = float((found - expected).abs().max() / expected.abs().max())
    figures.put(f"difference.{batch}", difference)
    assert difference < 1e-4, f"the two branches differ by {difference:.1e} of the largest affinity"
    for name, wrapped in (("answering", answering), ("training", training)):
        calls = wrapped(theirs), wrapped(mine)
        memory = [peak(call) for call in calls]  # and so both are warm
        first, second = in_turn(rounds, *calls)
        figures.put(f"{name}.time.{batch}", round(first / second, 2))
        figures.put(f"{name}.memory.{batch}", round(memory[0] / memory[1], 2))
        figures.put(f"{name}.MB.{batch}", [round(one / 2**20, 1) for one in memory])
        print(
            f"{name}, batch {batch}: {1e3 * first:.1f} ms literal, {1e3 * second:.1f} ms ours, {first / second:.2f} x; "
            f"{memory[0] / 2**20:.0f} MB, {memory[1] / 2**20:.0f} MB, {memory[0] / memory[1]:.1f} x",
            flush=True,
        )


def main(arguments: list[str] | None = None) -> None:
    """Measure every batch size, then print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--small", action="store_true", help="only to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    figures = Figures({"threads": args.threads, "kernel": kernels.choice()})
    with kernels.using(kernels.choice()):  # both by the kernel that the library would choose
        for batch in args.batches:
            compare(figures, batch, SMALL if args.small else (WORDS, REGIONS, SIZE), args.rounds)
    if args.json:
        print(json.dumps(figures.values))


if __name__ == "__main__":
    main()
