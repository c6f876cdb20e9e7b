"""What `benchmarks/lxmert.py` measures with: both models on the same weights, inputs, turns, the machine's limits."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import LxmertConfig, LxmertForQuestionAnswering

from chiasm.batch import Batch, Regions, Text
from chiasm.layers import kernels
from chiasm.layers.precision import Precision, set_precision
from chiasm.models.lxmert import Config, Lxmert
from chiasm.objectives.answers import one_answer
from chiasm.weights.lxmert import encoder_names, load, rename_in

ANSWERS, REGIONS, FEATURES, WORDS = 3129, 36, 2048, 20
BASE: dict[str, Any] = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
SMALL: dict[str, Any] = {"hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128}
SIZES = {"base": (BASE, (9, 5, 5)), "small": (SMALL, (2, 2, 2))}  # "small" shows that everything runs, no more
GFLOP = 10.586  # base: one example's forward pass: 20 words, 36 regions, 3,129 answers; dead work included
NATURAL = [5, 6, 6, 7, 7, 8, 8, 8, 9, 9, 10, 11, 12, 13]  # word pieces of VQA questions with [CLS] and [SEP]


@dataclass
class Figures:
    """The figures of a run, printed as they come, and nested by name for `--json`."""

    values: dict[str, Any] = field(default_factory=dict)

    def ratio(self, name: str, case: str, theirs: float, ours: float, examples: int, note: str = "") -> None:
        """`name` is a path such as "inference.float32"; the ratio of 2 means that ours takes half the time."""
        self.put(f"{name}.{case}" if case else name, round(theirs / ours, 3))
        rates = f"{examples / theirs:8.1f} {examples / ours:8.1f} ex/s"
        print(f"{name:30} {case:>4} {rates}  ratio {theirs / ours:5.2f}  {note}", flush=True)

    def difference(self, precision: str, a: Tensor, b: Tensor) -> None:
        """The largest difference of two outputs; the largest of a run is kept."""
        worst = self.values.setdefault("max_difference", {})
        worst[precision] = max(worst.get(precision, 0.0), float((a.float() - b.float()).abs().max()))

    def put(self, path: str, value: Any) -> None:
        """A value at a path "part.precision.case"."""
        *folders, last = path.split(".")
        place = self.values
        for name in folders:
            place = place.setdefault(name, {})
        place[last] = value


def theirs_and_ours(size: str = "base") -> tuple[LxmertForQuestionAnswering, Lxmert]:
    """transformers' model and ours, holding the same random weights."""
    torch.manual_seed(0)
    sizes, (language, objects, cross) = SIZES[size]
    config = LxmertConfig(num_qa_labels=ANSWERS, l_layers=language, r_layers=objects, x_layers=cross, **sizes)
    theirs = LxmertForQuestionAnswering(config).eval()
    ours = Lxmert(_config(size, num_labels=ANSWERS), {"answer": one_answer}).eval()
    load(ours, theirs.state_dict())
    return theirs, ours


def of_two_images(theirs: LxmertForQuestionAnswering, size: str = "base") -> Lxmert:
    """Our model of two images, holding the same encoder."""
    ours = Lxmert(_config(size, num_images=2), {}).eval()
    state = {key.removeprefix("lxmert."): value for key, value in theirs.state_dict().items()}
    backbone = {key: value for key, value in state.items() if not key.startswith("answer_head.")}
    ours.encoder.load_state_dict(rename_in(backbone, encoder_names(*SIZES[size][1])))
    return ours


def _config(size: str, **options: int) -> Config:
    sizes, (language, objects, cross) = SIZES[size]
    layers = {"language_layers": language, "object_layers": objects, "cross_layers": cross}
    return Config(**sizes, **layers, **options)


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


def statements(count: int) -> tuple[Batch, Batch]:
    """A statement about two images each: as our model reads it, and with the statement written twice."""
    flat = inputs(2 * count, words=WORDS)
    assert flat.text is not None
    assert flat.regions is not None
    text = flat.text.select(torch.arange(0, 2 * count, 2))
    regions = Regions(flat.regions.features, flat.regions.boxes, index=torch.arange(2 * count).view(count, 2))
    twice = Text(text.input_ids.repeat_interleave(2, 0), text.attention_mask.repeat_interleave(2, 0))
    return Batch(text=text, regions=regions), Batch(text=twice, regions=flat.regions)


def plain(batch: Batch) -> dict[str, Tensor]:
    """transformers' arguments: padded to 20 words, the image repeated for each of its questions."""
    assert batch.text is not None
    assert batch.regions is not None
    rows = torch.arange(len(batch)) if batch.regions.index is None else batch.regions.index[:, 0]
    return {
        "input_ids": batch.text.input_ids,
        "attention_mask": batch.text.attention_mask.float(),
        "visual_feats": batch.regions.features[rows],
        "visual_pos": batch.regions.boxes[rows],
    }


CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
clock = {"now": CLOCKS["wall"]}  # changed by `--clock`


def in_turn(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """Median seconds of each call, taken in turn (A B C A B C) after one warm-up each."""
    now = clock["now"]
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(rounds):
        for seen, call in zip(times, calls, strict=True):
            start = now()
            call()
            seen.append(now() - start)
    return [statistics.median(seen) for seen in times]


def limits() -> dict[str, float]:
    """GFLOP/s of large products on this machine: float32 by its better kernel, bfloat16, 8-bit integers."""
    x, weight = torch.randn(2048, 2048), torch.randn(2048, 2048)
    half, other = x.bfloat16(), weight.bfloat16()
    small, bytes_ = x.mul(20).to(torch.int8), weight.mul(20).to(torch.int8).t().contiguous().t()
    linear = torch.nn.functional.linear

    def float32(kernel: kernels.Kernel) -> float:
        with kernels.using(kernel):
            return in_turn(9, lambda: linear(x, weight))[0]

    with torch.inference_mode():
        seconds = {
            "float32": min(float32("default"), float32("onednn")),
            "bfloat16": in_turn(9, lambda: linear(half, other))[0],
            "int8": in_turn(9, lambda: torch._int_mm(small, bytes_))[0],
        }
    return {name: 2 * 2048**3 / taken / 1e9 for name, taken in seconds.items()}


@contextmanager
def inferring(
    kernel: kernels.Kernel, model: torch.nn.Module | None = None, precision: Precision = "float32"
) -> Iterator[None]:
    """Without gradients, by this kernel; our model in this precision."""
    if model is not None:
        set_precision(model, precision)
    with kernels.using(kernel), torch.inference_mode():
        yield
