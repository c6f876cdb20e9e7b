"""Our ViT-BERT beside transformers' BertModel and ViTModel called plainly: same weights, one process, in turn.

    python benchmarks/vit_bert.py                                    # everything; minutes on two cores
    python benchmarks/vit_bert.py inference --batches 1 8 --rounds 5 --threads 1
    python benchmarks/vit_bert.py --small inference train            # a tenth of the size, to see that it runs
    python benchmarks/vit_bert.py --json | tail -1                   # the last line is one JSON object

A ratio of 2 means that ours takes half the time. `cached` answers questions about an image whose vector is there
already; `shared` asks five questions about each image, which transformers encodes five times. `limit` is the matrix
rate that this machine reaches in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

from chiasm.batch import Batch, Images, Text
from chiasm.encoders.pretrained import bert_state, vit_state
from chiasm.layers import kernels
from chiasm.models.vit_bert import Config, VitBert
from chiasm.objectives.answers import one_answer

ANSWERS, WORDS, PIXELS = 3129, 32, 224
GFLOP = 40.6  # one example's forward pass: ViT-B/16 at 224 pixels, BERT-base of 32 words
SMALL = {"hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 3, "intermediate_size": 768}
Figures = dict[str, Any]


class Plain(nn.Module):
    """What people write: both encoders of transformers, the first states side by side, a linear layer."""

    def __init__(self, sizes: dict[str, int]) -> None:
        super().__init__()
        self.vit = ViTModel(ViTConfig(**sizes), add_pooling_layer=False)
        self.bert = BertModel(BertConfig(**sizes), add_pooling_layer=False)
        self.head = nn.Linear(2 * self.vit.config.hidden_size, ANSWERS)

    def forward(self, batch: Batch) -> Tensor:
        """Batch of B texts and their images -> (B, A)."""
        assert batch.text is not None
        assert batch.images is not None
        pixels = batch.images.pixel_values
        if batch.images.index is not None:
            pixels = pixels[batch.images.index[:, 0]]
        text = batch.text
        words = self.bert(input_ids=text.input_ids, attention_mask=text.attention_mask.long()).last_hidden_state
        patches = self.vit(pixel_values=pixels).last_hidden_state
        scores: Tensor = self.head(torch.cat([patches[:, 0], words[:, 0]], 1))
        return scores


def models(sizes: dict[str, int]) -> tuple[Plain, VitBert]:
    """transformers' model and ours, holding the same random weights."""
    torch.manual_seed(0)
    theirs = Plain(sizes).eval()
    config = Config(num_labels=ANSWERS, vision=sizes, language=sizes, head_dropout=0.0)
    ours = VitBert(config, {"answer": one_answer}).eval()
    assert ours.vision is not None
    ours.vision.load_state_dict(vit_state(theirs.vit.state_dict(), side=PIXELS // 16))
    ours.language.load_state_dict(bert_state(theirs.bert.state_dict(), pooler=False))
    ours.heads.heads["answer"].load_state_dict(theirs.head.state_dict())
    return theirs, ours


def inputs(images: int, questions: int = 1) -> Batch:
    """`questions` of 32 pieces on each image."""
    generator = torch.Generator().manual_seed(1)
    rows = images * questions
    ids = torch.randint(1000, 30000, (rows, WORDS), generator=generator)
    pixels = torch.randn(images, 3, PIXELS, PIXELS, generator=generator)
    index = None if questions == 1 else torch.arange(images).repeat_interleave(questions)[:, None]
    text = Text(ids, torch.ones_like(ids, dtype=torch.bool))
    return Batch(text=text, images=Images(pixels, index=index), targets={"answer": torch.arange(rows) % ANSWERS})


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
            best = min(best, *in_turn(7, lambda: torch.nn.functional.linear(x, weight)))
    return 2 * 2048**3 / best / 1e9


@contextmanager
def computing(precision: str, kernel: kernels.Kernel) -> Iterator[None]:
    """A precision and a matrix kernel."""
    cast = torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else nullcontext()
    with kernels.using(kernel), cast:
        yield


def report(figures: Figures, name: str, case: str, theirs: float, ours: float, examples: int) -> None:
    """One line, and its ratio among the figures."""
    figures.setdefault(name, {})[case] = round(theirs / ours, 3)
    rates = f"{examples / theirs:8.2f} {examples / ours:8.2f} ex/s"
    print(f"{name:28} {case:>4} {rates}  ratio {theirs / ours:5.2f}", flush=True)


def inference(figures: Figures, args: argparse.Namespace, theirs: Plain, ours: VitBert) -> None:
    """Answers to single questions, to five questions about each image, and with the image's vector at hand."""
    cases = {"one image each": inputs, "shared, five questions": lambda n: inputs(n, 5)}
    for precision in args.precisions:
        for size in args.batches:
            for name, make in cases.items():
                batch = make(size)
                with torch.inference_mode():
                    pair = in_turn(args.rounds, *_calls(theirs, ours, batch, batch, precision, args.kernel))
                report(figures, f"{precision}: {name}", str(size), *pair, len(batch))
            batch = inputs(size)
            with torch.inference_mode():
                more = {"image_vectors": ours.vectors(batch)["image_vectors"]}
                known = replace(batch, images=None, more=more)
                pair = in_turn(args.rounds, *_calls(theirs, ours, batch, known, precision, args.kernel))
            report(figures, f"{precision}: cached image", str(size), *pair, size)
    batch = inputs(2)
    with torch.inference_mode(), kernels.using(args.kernel):
        figures["largest difference"] = float((theirs(batch) - ours(batch).scores["answer"]).abs().max())
    print("largest difference of scores in float32:", figures["largest difference"])


def _calls(
    theirs: Plain, ours: VitBert, batch: Batch, ours_batch: Batch, precision: str, kernel: kernels.Kernel
) -> list[Callable[[], object]]:
    """The plain call in the same precision with torch's own kernel, and ours with the chosen one."""

    def plain() -> Tensor:
        with computing(precision, "default"):
            return theirs(batch)

    def mine() -> Tensor:
        with computing(precision, kernel):
            return ours(ours_batch).scores["answer"]

    return [plain, mine]


def train(figures: Figures, args: argparse.Namespace, theirs: Plain, ours: VitBert) -> None:
    """A step: forward, backward, clipping, AdamW."""
    batch = inputs(args.train_batch)
    plain = torch.optim.AdamW(theirs.parameters(), lr=1e-6)
    fused = torch.optim.AdamW(ours.parameters(), lr=1e-6, fused=True)

    def step(model: nn.Module, optimiser: torch.optim.Optimizer, precision: str, kernel: kernels.Kernel) -> None:
        with computing(precision, kernel):
            scores = model(batch) if model is theirs else model(batch).scores["answer"]
            loss = nn.functional.cross_entropy(scores.float(), batch.targets["answer"])
        with kernels.using(kernel):
            loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    theirs.train(), ours.train()
    for precision in args.precisions:
        pair = in_turn(
            args.rounds,
            lambda p=precision: step(theirs, plain, p, "default"),
            lambda p=precision: step(ours, fused, p, args.kernel),
        )
        report(figures, f"{precision}: training step", str(args.train_batch), *pair, args.train_batch)
    theirs.eval(), ours.eval()


def main() -> None:
    """Measure what is asked for, then print every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["inference", "train", []], default=["inference", "train"])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--train-batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precisions", nargs="+", choices=["float32", "bfloat16"], default=["float32", "bfloat16"])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.kernel = kernels.choice()
    figures: Figures = {"kernel": args.kernel, "threads": args.threads, "limit GFLOP/s": round(limit())}
    print(f"kernel {args.kernel}, {args.threads} threads, limit {figures['limit GFLOP/s']} GFLOP/s; theirs, ours")
    theirs, ours = models(SMALL if args.small else {})
    if "inference" in args.parts:
        inference(figures, args, theirs, ours)
    if "train" in args.parts:
        train(figures, args, theirs, ours)
    if args.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
