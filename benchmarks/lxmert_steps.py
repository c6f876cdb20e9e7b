"""What each step gains in our own LXMERT-base: with and without it, in turn; medians and their ratios.

    python benchmarks/lxmert_steps.py                    # about five minutes on two quiet cores
    python benchmarks/lxmert_steps.py --rounds 3 --json | tail -1

A ratio of 1.2 means that the step saves a sixth of the time. Every pair gives the same numbers (the largest difference
is printed), but for dropout, whose draws are others of the same distribution.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from lxmert_setup import (
    ANSWERS,
    SIZES,
    WORDS,
    Figures,
    in_turn,
    inferring,
    inputs,
    of_two_images,
    statements,
    theirs_and_ours,
)
from torch import Tensor

from chiasm.batch import Batch
from chiasm.layers import dropout, kernels
from chiasm.models import lxmert

Call = Callable[[], Any]


@contextmanager
def replaced(place: object, name: str, value: object) -> Iterator[None]:
    """An attribute changed inside the block."""
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


def spread(batch: Batch) -> Batch:
    """The same questions with an image of their own each."""
    assert batch.regions is not None
    assert batch.regions.index is not None
    rows = batch.regions.index[:, 0]
    own = replace(batch.regions, features=batch.regions.features[rows], boxes=batch.regions.boxes[rows], index=None)
    return replace(batch, regions=own)


def all_together(text: Any, fewest: int) -> list[Tensor]:
    """In place of `length_groups`: one group."""
    return [torch.arange(text.attention_mask.shape[0])]


def answering(figures: Figures, rounds: int, model_size: str) -> None:
    """The steps of inference."""
    theirs, ours = theirs_and_ours(model_size)
    paired = of_two_images(theirs, model_size)
    del theirs
    eight, shared = inputs(8, words=WORDS), inputs(8, questions=5)
    apart, (once, twice) = spread(shared), statements(8)

    def by(kernel: kernels.Kernel, call: Call) -> Call:
        def timed() -> Any:
            with inferring(kernel):
                return call()

        return timed

    def answers(batch: Batch) -> Tensor:
        return ours(batch).scores["answer"]

    def ungrouped(batch: Batch) -> Tensor:
        with replaced(lxmert, "length_groups", all_together):
            return answers(batch)

    def whole(batch: Batch) -> Tensor:
        return ours.answer_head(ours.encoder(batch.text, batch.regions)[2])

    best = kernels.choice()
    compared: dict[str, tuple[Call, Call, int]] = {
        "kernel_onednn_packed": (by("default", lambda: answers(eight)), by("onednn", lambda: answers(eight)), 8),
        "dead_work_left_out": (by(best, lambda: whole(eight)), by(best, lambda: answers(eight)), 8),
        "image_once": (by(best, lambda: ungrouped(apart)), by(best, lambda: ungrouped(shared)), 40),
        "length_groups": (by(best, lambda: ungrouped(shared)), by(best, lambda: answers(shared)), 40),
        "statement_once": (
            by(best, lambda: paired.encoder.pooled(twice.text, twice.regions)),
            by(best, lambda: paired.encoder.pooled(once.text, once.regions)),
            8,
        ),
    }
    for name, (without, with_it, examples) in compared.items():
        first, second = in_turn(rounds, without, with_it)
        figures.ratio(name, "", first, second, examples)
        figures.difference("float32", without(), with_it())


def training(figures: Figures, rounds: int, size: int, model_size: str) -> None:
    """The steps of training: dropout's cheaper draws, the optimiser in one pass."""
    ours = theirs_and_ours(model_size)[1].train()
    batch = inputs(size, words=WORDS)
    fused, plain = (torch.optim.AdamW(ours.parameters(), lr=1e-5, fused=one) for one in (True, None))

    def step(optimiser: torch.optim.Optimizer) -> None:
        with kernels.using(kernels.choice()):
            ours.losses(ours(batch), batch)["answer"].backward()
            optimiser.step()
            optimiser.zero_grad()

    def drawn_by_torch(x: Tensor, p: float) -> Tensor:
        return torch.empty_like(x).bernoulli_(1 - p).div_(1 - p)

    def without_dropout_draws() -> None:
        with replaced(dropout, "keep_mask", drawn_by_torch):
            step(fused)

    first, second, third = in_turn(rounds, lambda: step(plain), without_dropout_draws, lambda: step(fused))
    figures.ratio("optimiser_in_one_pass", "", first, third, size, "training step")
    figures.ratio("dropout_of_four_draws", "", second, third, size, "training step")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--train-batch", type=int, default=8)
    parser.add_argument("--size", choices=list(SIZES), default="base", help="small: only to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    figures = Figures({"threads": options.threads, "answers": ANSWERS})
    answering(figures, options.rounds, options.size)
    training(figures, options.rounds, options.train_batch, options.size)
    print("largest difference of outputs:", figures.values["max_difference"])
    if options.json:
        print(json.dumps(figures.values))


if __name__ == "__main__":
    main()
