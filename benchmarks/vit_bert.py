"""Our ViT-BERT beside transformers' BertModel and ViTModel called plainly: same weights, one process, in turn.

    python benchmarks/vit_bert.py                                    # everything; minutes on two cores
    python benchmarks/vit_bert.py inference --batches 1 8 --rounds 5 --threads 1
    python benchmarks/vit_bert.py --small                            # small models, to see that everything runs
    python benchmarks/vit_bert.py --json | tail -1                   # the last line is one JSON object

A ratio of 2 means that ours takes half the time of transformers in float32. `cached_image` answers questions about an
image whose vector is there already; `shared_image` asks five questions about each image, which transformers encodes
five times. `limit` is the matrix rate that this machine reaches in the same run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace

import torch
from lxmert_setup import Figures, in_turn, inferring, limits
from torch import Tensor, nn
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

from chiasm.batch import Batch, Images, Text
from chiasm.encoders.pretrained import bert_state, vit_state
from chiasm.layers import kernels
from chiasm.layers.precision import Precision, set_precision
from chiasm.models.vit_bert import Config, VitBert
from chiasm.objectives.answers import one_answer

ANSWERS, WORDS, PIXELS = 3129, 32, 224
SMALL = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 96}
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "int8")


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


def inference(figures: Figures, args: argparse.Namespace, theirs: Plain, ours: VitBert) -> None:
    """One image each, five questions about each image, and with the image's vector at hand; theirs in float32."""
    for size in args.batches:
        single, shared = inputs(size), inputs(size, 5)
        with torch.inference_mode():
            more = {"image_vectors": ours.vectors(single)["image_vectors"]}
        cached = replace(single, images=None, more=more)
        cases = {"inference": (single, single), "shared_image": (shared, shared), "cached_image": (single, cached)}
        for name, (their_batch, our_batch) in cases.items():
            reference = plainly(theirs, their_batch)
            calls = [answer(ours, our_batch, precision) for precision in PRECISIONS]
            first, *mine = in_turn(args.rounds, reference, *calls)
            for precision, call, seconds in zip(PRECISIONS, calls, mine, strict=True):
                figures.ratio(f"{name}.{precision}", str(size), first, seconds, len(their_batch))
                figures.difference(precision, call(), reference())
    set_precision(ours, "float32")


def plainly(theirs: Plain, batch: Batch) -> Callable[[], Tensor]:
    """transformers' answer in float32 with torch's own kernel."""

    def call() -> Tensor:
        with inferring("default"):
            return theirs(batch)

    return call


def answer(ours: VitBert, batch: Batch, precision: Precision) -> Callable[[], Tensor]:
    """Our answer in a precision, with the kernel that the library would choose."""

    def call() -> Tensor:
        with inferring(kernels.choice(), ours, precision):
            return ours(batch).scores["answer"]

    return call


def training(figures: Figures, args: argparse.Namespace, theirs: Plain, ours: VitBert) -> None:
    """Forward, backward, clipping and AdamW; bfloat16 by autocast. Theirs as people write it, ours as the loop does."""
    batch = inputs(args.train_batch)
    plain = torch.optim.AdamW(theirs.parameters(), lr=1e-6)
    fused = torch.optim.AdamW(ours.parameters(), lr=1e-6, fused=True)

    def step(model: nn.Module, optimiser: torch.optim.Optimizer, *, half: bool) -> None:
        with kernels.using("default" if model is theirs else kernels.choice()):
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                scores = model(batch) if model is theirs else model(batch).scores["answer"]
            nn.functional.cross_entropy(scores.float(), batch.targets["answer"]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    theirs.train()
    ours.train()
    first, *mine = in_turn(
        args.rounds,
        lambda: step(theirs, plain, half=False),
        lambda: step(ours, fused, half=False),
        lambda: step(ours, fused, half=True),
    )
    for name, seconds in zip(("float32", "bfloat16"), mine, strict=True):
        figures.ratio(f"training.{name}", str(args.train_batch), first, seconds, args.train_batch)


def main(arguments: list[str] | None = None) -> None:
    """Measure what is asked for, then print every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"inference": inference, "training": training}
    parser.add_argument("parts", nargs="*", default=list(parts), metavar="|".join(parts))
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--train-batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--small", action="store_true", help="only to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    figures = Figures({"threads": args.threads, "kernel": kernels.choice()})
    figures.put("limit_gflops", {name: round(rate) for name, rate in limits().items()})
    print(f"limits {figures.values['limit_gflops']} GFLOP/s, kernel {kernels.choice()}; transformers in float32, ours")
    theirs, ours = models(SMALL if args.small else {})
    for part in args.parts:
        if part not in parts:
            parser.error(f"unknown part {part!r}; known: {', '.join(parts)}")
        parts[part](figures, args, theirs, ours)
    print(f"largest difference of scores: {figures.values.get('max_difference')}")
    if args.json:
        print(json.dumps(figures.values))


if __name__ == "__main__":
    main()
