"""Our LXMERT-base beside transformers', same weights, one process, in turn (A B A B); medians and their ratios.

    python benchmarks/lxmert.py                      # everything, about ten minutes on two cores
    python benchmarks/lxmert.py inference --batches 1 8 --rounds 9
    python benchmarks/lxmert.py --json | tail -1     # the last line is one JSON object

A ratio of 2 means that ours takes half the time. `limit` is the float32 matrix rate this machine reaches in the same
run, the better of its two kernels. Where MKL runs at half rate (AMD; `MKL_ENABLE_INSTRUCTIONS=AVX2` imitates it on
Intel) transformers loses what our choice of kernel gains; where it does not, the gain is what sharing, un-padding
and fusing save.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import LxmertConfig, LxmertForQuestionAnswering

from chiasm.batch import Batch, Regions, Text
from chiasm.layers import kernels
from chiasm.models.lxmert import Config, Lxmert
from chiasm.objectives.answers import one_answer
from chiasm.weights.lxmert import encoder_names, rename_in

ANSWERS, REGIONS, FEATURES, WORDS = 3129, 36, 2048, 20
GFLOP = 10.586  # one example's forward pass: 9/5/5 layers, 20 words, 36 regions, 3,129 answers
NATURAL = [5, 6, 6, 7, 7, 8, 8, 8, 9, 9, 10, 11, 12, 13]  # word pieces of VQA questions with [CLS] and [SEP]


@dataclass
class Table:
    """The figures of a run, printed as they come."""

    figures: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, case: str, theirs: float, ours: float, examples: int, note: str = "") -> None:
        ratio = theirs / ours
        self.figures.setdefault(name, {})[case] = round(ratio, 3)
        rates = f"{examples / theirs:8.1f} {examples / ours:8.1f} ex/s"
        print(f"{name:28} {case:>4} {rates}  ratio {ratio:5.2f}  {note}", flush=True)

    def difference(self, precision: str, value: float) -> None:
        worst = self.figures.setdefault("max_difference", {})
        worst[precision] = max(worst.get(precision, 0.0), value)


def models(**sizes: int) -> tuple[LxmertForQuestionAnswering, Lxmert]:
    """transformers' model and ours, holding the same random weights."""
    torch.manual_seed(0)
    theirs = LxmertForQuestionAnswering(LxmertConfig(num_qa_labels=ANSWERS)).eval()
    ours = Lxmert(Config(num_labels=ANSWERS, **sizes), {"answer": one_answer}).eval()
    state = theirs.state_dict()
    backbone = {key.removeprefix("lxmert."): value for key, value in state.items() if key.startswith("lxmert.")}
    ours.encoder.load_state_dict(rename_in(backbone, encoder_names(9, 5, 5)))
    for mine, layer in (("dense", 0), ("norm", 2), ("scores", 3)):
        for kind in ("weight", "bias"):
            ours.answer_head.get_parameter(f"{mine}.{kind}").data = state[f"answer_head.logit_fc.{layer}.{kind}"]
    return theirs, ours


def inputs(images: int, questions: int = 1, words: int | None = None) -> Batch:
    """`questions` on each image, all of the full length, or of natural lengths when `words` is None."""
    generator = torch.Generator().manual_seed(1)
    rows = images * questions
    lengths = torch.tensor([words or NATURAL[i % len(NATURAL)] for i in range(rows)])
    mask = torch.arange(WORDS) < lengths[:, None]
    ids = torch.randint(1000, 30000, (rows, WORDS), generator=generator) * mask
    regions = Regions(
        torch.rand(images, REGIONS, FEATURES, generator=generator),
        torch.rand(images, REGIONS, 4, generator=generator),
        index=torch.arange(images).repeat_interleave(questions)[:, None],
    )
    return Batch(text=Text(ids, mask), regions=regions, targets={"answer": torch.arange(rows) % ANSWERS})


def ask_theirs(model: LxmertForQuestionAnswering, batch: Batch) -> Tensor:
    """The plain call: padded to 20 words, the image repeated for each of its questions."""
    assert batch.text is not None
    assert batch.regions is not None
    assert batch.regions.index is not None
    rows = batch.regions.index[:, 0]
    return model(
        input_ids=batch.text.input_ids,
        attention_mask=batch.text.attention_mask.float(),
        visual_feats=batch.regions.features[rows],
        visual_pos=batch.regions.boxes[rows],
    ).question_answering_score


def buckets(batch: Batch, size: int) -> Iterator[tuple[Tensor, Batch]]:
    """Parts of `size` questions of similar length, cut to their longest, each image once; and their positions."""
    assert batch.text is not None
    order = batch.text.attention_mask.sum(1).argsort()
    for rows in order.split(size):
        part = batch[rows]
        assert part.text is not None
        length = int(part.text.attention_mask.sum(1).max())
        text = Text(part.text.input_ids[:, :length], part.text.attention_mask[:, :length])
        yield rows, Batch(text=text, regions=part.regions)


def in_turn(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """Median seconds of each call, taken in turn after one warm-up each."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(rounds):
        for seen, call in zip(times, calls, strict=True):
            start = time.perf_counter()
            call()
            seen.append(time.perf_counter() - start)
    return [statistics.median(seen) for seen in times]


def limit() -> float:
    """GFLOP/s of a float32 product on this machine, by the better kernel."""
    x, weight = torch.randn(2048, 2048), torch.randn(2048, 2048)
    best = float("inf")
    for kernel in ("default", "onednn"):
        with kernels.using(kernel), torch.inference_mode():
            best = min(best, *in_turn(15, lambda: torch.nn.functional.linear(x, weight)))
    return 2 * 2048**3 / best / 1e9


@contextmanager
def inferring(precision: str, kernel: kernels.Kernel) -> Iterator[None]:
    cast = torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else nullcontext()
    with kernels.using(kernel), torch.inference_mode(), cast:
        yield


def inference(table: Table, batches: list[int], rounds: int) -> None:
    """Padded questions, one per image: what the kernels and the dead work of the last layer give."""
    theirs, ours = models()
    rate = limit()
    table.figures["limit_gflops"] = round(rate)
    print(f"float32 limit {rate:.0f} GFLOP/s, kernel {kernels.choice()}")
    for size in batches:
        batch = inputs(size, words=WORDS)

        def reference(batch: Batch = batch, kernel: kernels.Kernel = "default") -> Tensor:
            with inferring("float32", kernel):
                return ask_theirs(theirs, batch)

        def answer(batch: Batch = batch, precision: str = "float32") -> Tensor:
            with inferring(precision, kernels.choice()):
                return ours(batch).scores["answer"]

        calls = [reference, lambda: reference(kernel="onednn"), answer, lambda: answer(precision="bfloat16")]
        plain, onednn, mine, half = in_turn(rounds, *calls)
        share = GFLOP * size / mine / rate
        table.add("inference.float32", str(size), plain, mine, size, f"{100 * share:.0f} % of the limit")
        table.add("inference.float32_vs_onednn", str(size), onednn, mine, size, "transformers with oneDNN set")
        table.add("inference.bfloat16", str(size), plain, half, size, "autocast")
        table.difference("float32", float((answer() - reference()).abs().max()))
        table.difference("bfloat16", float((answer(precision="bfloat16") - reference()).abs().max()))


def shared_image(table: Table, rounds: int) -> None:
    """Forty questions of natural length on eight images: each image encoded once, little padding."""
    theirs, ours = models()
    batch = inputs(8, questions=5)

    def reference() -> Tensor:
        with inferring("float32", "default"):
            return ask_theirs(theirs, batch)

    def answer(precision: str = "float32") -> Tensor:
        scores = torch.empty(40, ANSWERS)
        with inferring(precision, kernels.choice()):
            for rows, part in buckets(batch, 8):
                scores[rows] = ours(part).scores["answer"].float()
        return scores

    def one_bucket() -> Tensor:
        with inferring("float32", kernels.choice()):
            return ours(batch).scores["answer"]

    plain, mine, half, whole = in_turn(rounds, reference, answer, lambda: answer("bfloat16"), one_bucket)
    table.add("shared_image.float32", "40", plain, mine, 40, "images once, buckets of 8")
    table.add("shared_image.padded", "40", plain, whole, 40, "images once, no buckets")
    table.add("shared_image.bfloat16", "40", plain, half, 40)
    table.difference("float32", float((answer() - reference()).abs().max()))


def pairs(table: Table, rounds: int) -> None:
    """Two images and a statement: the statement is encoded once for both."""
    theirs, _ = models()
    torch.manual_seed(0)
    ours = Lxmert(Config(num_images=2), {}).eval()
    backbone = {k.removeprefix("lxmert."): v for k, v in theirs.state_dict().items() if k.startswith("lxmert.")}
    ours.encoder.load_state_dict(rename_in(backbone, encoder_names(9, 5, 5)))
    for count in (1, 16):
        flat = inputs(2 * count, words=WORDS)
        assert flat.text is not None
        assert flat.regions is not None
        text = flat.text.select(torch.arange(0, 2 * count, 2))
        regions = Regions(flat.regions.features, flat.regions.boxes, index=torch.arange(2 * count).view(count, 2))
        batch = Batch(text=text, regions=regions)
        twice = Text(text.input_ids.repeat_interleave(2, 0), text.attention_mask.repeat_interleave(2, 0))
        doubled = Batch(text=twice, regions=flat.regions)

        def reference(doubled: Batch = doubled) -> Tensor:
            with inferring("float32", "default"):
                return theirs.lxmert(
                    doubled.text.input_ids, doubled.regions.features, doubled.regions.boxes,
                    attention_mask=doubled.text.attention_mask.float(),
                ).pooled_output  # fmt: skip

        def answer(batch: Batch = batch, precision: str = "float32") -> Tensor:
            with inferring(precision, kernels.choice()):
                return ours(batch).states["pooled"]

        plain, mine, half = in_turn(rounds, reference, answer, lambda: answer(precision="bfloat16"))
        table.add("pairs.float32", str(count), plain, mine, count)
        table.add("pairs.bfloat16", str(count), plain, half, count)
        table.difference("float32", float((answer() - reference().view(count, -1)).abs().max()))


def training(table: Table, batches: list[int], rounds: int) -> None:
    """Forward, backward, clipping and AdamW: theirs with torch's defaults, ours as the training loop sets it up."""
    theirs, ours = models()
    plain = torch.optim.AdamW(theirs.parameters(), lr=1e-5)
    fused = torch.optim.AdamW(ours.parameters(), lr=1e-5, fused=True)
    theirs.train()
    ours.train()

    def step(model: torch.nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        optimiser.zero_grad()

    for size in batches:
        batch = inputs(size, words=WORDS)

        def reference(batch: Batch = batch) -> None:
            with kernels.using("default"):
                scores = ask_theirs(theirs, batch)
                step(theirs, plain, torch.nn.functional.cross_entropy(scores, batch.targets["answer"]))

        def mine(batch: Batch = batch, precision: str = "float32") -> None:
            cast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
            with kernels.using(kernels.choice()):
                with cast:
                    losses = ours.losses(ours(batch), batch)
                step(ours, fused, losses["answer"])

        first, second, half = in_turn(rounds, reference, mine, lambda: mine(precision="bfloat16"))
        table.add("training.float32", str(size), first, second, size)
        table.add("training.bfloat16", str(size), first, half, size, "autocast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("inference", "shared_image", "pairs", "training")
    parser.add_argument("parts", nargs="*", default=parts, metavar="|".join(parts))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = Table()
    for part in options.parts:
        if part in ("inference", "training"):
            globals()[part](table, options.batches, options.rounds)
        elif part in parts:
            globals()[part](table, options.rounds)
        else:
            parser.error(f"unknown part {part!r}; known: {', '.join(parts)}")
    print("largest difference of outputs:", table.figures.get("max_difference"))
    if options.json:
        print(json.dumps(table.figures))


if __name__ == "__main__":
    main()
