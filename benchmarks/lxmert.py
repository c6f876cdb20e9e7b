"""Our LXMERT-base beside transformers', same weights, one process, in turn (A B A B); medians and their ratios.

    python benchmarks/lxmert.py                          # everything, about twenty minutes on two quiet cores
    python benchmarks/lxmert.py inference --batches 1 8 --rounds 9
    python benchmarks/lxmert.py --threads 1 --clock processor   # on a busy machine: processor seconds of one thread
    python benchmarks/lxmert.py accuracy --bundle runs/demo/bundle
    python benchmarks/lxmert.py --json | tail -1         # the last line is one JSON object

The reference is transformers called plainly: `LxmertForQuestionAnswering` (and `LxmertModel` in the part `encoder`),
padded to 20 words, float32 by torch's default kernel. A ratio of 2 means that ours takes half the time. `limit` is the
matrix rate that this machine reaches in the same run. Where MKL runs at half rate (AMD; `MKL_ENABLE_INSTRUCTIONS=AVX2`
imitates it on Intel) transformers loses what our choice of kernel gains; where it does not, the gain is what sharing,
un-padding and fusing save. `max_difference` is that of the outputs, for each precision.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from lxmert_setup import (
    CLOCKS,
    GFLOP,
    SIZES,
    WORDS,
    Figures,
    clock,
    in_turn,
    inferring,
    inputs,
    limits,
    of_two_images,
    plain,
    statements,
    theirs_and_ours,
)
from torch import Tensor

from chiasm.batch import Batch
from chiasm.layers import kernels
from chiasm.layers.precision import Precision, set_precision

SIZE = "base"
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "int8")


def inference(figures: Figures, batches: list[int], rounds: int) -> None:
    """Padded questions, one per image: what kernels, fusing and the dead work of the last layer give."""
    theirs, ours = theirs_and_ours(SIZE)
    rates = limits()
    figures.values["limit_gflops"] = {name: round(rate) for name, rate in rates.items()}
    print(f"limits {figures.values['limit_gflops']} GFLOP/s, kernel {kernels.choice()}")
    for size in batches:
        batch = inputs(size, words=WORDS)
        asked = plain(batch)

        def reference(kernel: kernels.Kernel = "default", asked: dict[str, Tensor] = asked) -> Tensor:
            with inferring(kernel):
                return theirs(**asked).question_answering_score

        def answer(precision: Precision, batch: Batch = batch) -> Tensor:
            with inferring(kernels.choice(), ours, precision):
                return ours(batch).scores["answer"]

        calls = [reference, lambda: reference("onednn"), *(lambda p=p: answer(p) for p in PRECISIONS)]
        first, onednn, *mine = in_turn(rounds, *calls)
        for precision, seconds in zip(PRECISIONS, mine, strict=True):
            share = GFLOP * size / seconds / rates[precision]
            figures.ratio(f"inference.{precision}", str(size), first, seconds, size, f"{share:.0%} of the limit")
            figures.put(f"share_of_limit.{precision}.{size}", round(share, 3))
            figures.difference(precision, answer(precision), reference())
        figures.ratio("inference.float32_vs_onednn", str(size), onednn, mine[0], size, "transformers with oneDNN set")


def encoder(figures: Figures, batches: list[int], rounds: int) -> None:
    """All states of the encoder, for which nothing is dead: beside LxmertModel."""
    theirs, ours = theirs_and_ours(SIZE)
    for size in batches:
        batch = inputs(size, words=WORDS)
        asked = plain(batch)

        def reference(asked: dict[str, Tensor] = asked) -> Tensor:
            with inferring("default"):
                return theirs.lxmert(**asked).vision_output

        def states(batch: Batch = batch) -> Tensor:
            with inferring(kernels.choice(), ours):
                return ours.encoder(batch.text, batch.regions)[1]

        first, mine = in_turn(rounds, reference, states)
        figures.ratio("encoder.float32", str(size), first, mine, size, "all states, as LxmertModel gives them")
        figures.difference("float32", states(), reference())


def shared_image(figures: Figures, rounds: int) -> None:
    """Forty questions of natural length on eight images: each image encoded once, little padding."""
    theirs, ours = theirs_and_ours(SIZE)
    batch = inputs(8, questions=5)
    asked = plain(batch)

    def reference() -> Tensor:
        with inferring("default"):
            return theirs(**asked).question_answering_score

    def answer(precision: Precision) -> Tensor:
        with inferring(kernels.choice(), ours, precision):
            return ours(batch).scores["answer"]

    first, *mine = in_turn(rounds, reference, *(lambda p=p: answer(p) for p in PRECISIONS))
    for precision, seconds in zip(PRECISIONS, mine, strict=True):
        figures.ratio(f"shared_image.{precision}", "", first, seconds, 40, "40 questions on 8 images")
        figures.difference(precision, answer(precision), reference())


def pairs(figures: Figures, rounds: int) -> None:
    """Two images and a statement: the statement is encoded once for both."""
    theirs = theirs_and_ours(SIZE)[0]
    ours = of_two_images(theirs, SIZE)
    for count in (1, 16):
        batch, doubled = statements(count)
        asked = plain(doubled)

        def reference(asked: dict[str, Tensor] = asked) -> Tensor:
            with inferring("default"):
                return theirs.lxmert(**asked).pooled_output

        def answer(precision: Precision, batch: Batch = batch) -> Tensor:
            with inferring(kernels.choice(), ours, precision):
                return ours(batch).states["pooled"]

        first, *mine = in_turn(rounds, reference, *(lambda p=p: answer(p) for p in PRECISIONS))
        for precision, seconds in zip(PRECISIONS, mine, strict=True):
            figures.ratio(f"pairs.{precision}", str(count), first, seconds, count)
            figures.difference(precision, answer(precision).view(2 * count, -1), reference())


def step(name: str, model: torch.nn.Module, batch: Batch) -> Callable[[], None]:
    """A training step: transformers' with torch's defaults, ours as the training loop sets it up."""
    theirs = name == "transformers"
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=None if theirs else True)
    asked, target = plain(batch), batch.targets["answer"]
    model.train()

    def scores() -> Tensor:
        if theirs:
            return model(**asked).question_answering_score
        with torch.autocast("cpu", torch.bfloat16, enabled=name == "bfloat16"):
            return model(batch).scores["answer"].float()

    def one() -> None:
        with kernels.using("default" if theirs else kernels.choice()):
            torch.nn.functional.cross_entropy(scores(), target).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            optimiser.zero_grad()

    return one


def training(figures: Figures, batches: list[int], rounds: int) -> None:
    """Forward, backward, clipping and AdamW; bfloat16 by autocast. Batches below 8 only where there are no others."""
    theirs, ours = theirs_and_ours(SIZE)
    for size in [size for size in batches if size >= 8] or batches:
        batch = inputs(size, words=WORDS)
        models = {"transformers": theirs, "float32": ours, "bfloat16": ours}
        first, *mine = in_turn(rounds, *(step(name, model, batch) for name, model in models.items()))
        for name, seconds in zip(("float32", "bfloat16"), mine, strict=True):
            figures.ratio(f"training.{name}", str(size), first, seconds, size)


def memory(figures: Figures, batches: list[int], rounds: int) -> None:
    """Peak memory of a process that trains one model for three steps, in MB."""
    size = max(batches)
    for name in ("transformers", "float32", "bfloat16"):
        settings = {"peak": name, "batches": size, "threads": torch.get_num_threads(), "size": SIZE}
        options = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
        command = [sys.executable, __file__, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures.put(f"training.peak_mb.{name}", int(done.stdout.split()[-1]))
        print(f"{'training.peak_mb':30} {size:>4} {done.stdout.split()[-1]:>8} MB  {name}", flush=True)


def peak(name: str, size: int) -> None:
    """Train one model in this process and print its peak memory; the other model is gone before the first step."""
    both = theirs_and_ours(SIZE)
    one = step(name, both[0] if name == "transformers" else both[1], inputs(size, words=WORDS))
    del both
    for _ in range(3):
        one()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def accuracy(figures: Figures, bundle: Path) -> None:
    """What a trained model loses by rounding: the headline on its held-out data."""
    from chiasm.training.bundle import Bundle
    from chiasm.training.evaluate import evaluate

    loaded = Bundle.load(bundle)
    headline = loaded.task.headline
    for precision in PRECISIONS:
        set_precision(loaded.model, precision)
        measured = evaluate(loaded, show=False)[headline]
        figures.put(f"accuracy.{precision}", round(measured.value, 5))
        print(f"{'accuracy.' + precision:30} {loaded.recipe.name} {headline} {measured}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("inference", "encoder", "shared_image", "pairs", "training", "memory", "accuracy")
    parser.add_argument("parts", nargs="*", default=parts, metavar="|".join(parts))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--clock", choices=list(CLOCKS), default="wall", help="processor: for a busy machine, one thread"
    )
    parser.add_argument("--bundle", type=Path, help="of a trained model, for the part accuracy")
    parser.add_argument("--size", choices=list(SIZES), default="base", help="small: only to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    clock["now"] = CLOCKS[options.clock]
    globals()["SIZE"] = options.size
    if options.peak:
        peak(options.peak, options.batches[0])
        return
    figures = Figures({"size": options.size, "threads": options.threads, "clock": options.clock})
    for part in options.parts:
        if part not in parts:
            parser.error(f"unknown part {part!r}; known: {', '.join(parts)}")
        if part == "accuracy":
            if options.bundle is not None:
                accuracy(figures, options.bundle)
        elif part in ("shared_image", "pairs"):
            globals()[part](figures, options.rounds)
        else:
            globals()[part](figures, options.batches, options.rounds)
    print("largest difference of outputs:", figures.values.get("max_difference"))
    if options.json:
        print(json.dumps(figures.values))


if __name__ == "__main__":
    main()
