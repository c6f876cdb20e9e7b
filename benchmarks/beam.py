"""Beam search for many images at once, beside the loop over images that captioning repositories run.

    python benchmarks/beam.py [--images 64] [--beams 5 10] [--words 16]
    python benchmarks/beam.py --bundle runs/multi30k_de_en/bundle --data MULTI30K

An Up-Down decoder with random weights (36 regions of 2,048 numbers, 10,000 words, hidden size 512), one thread. The
loop takes one image at a time, copies its features for every beam, gives each LSTM one long input with torch's cell,
sorts the whole vocabulary at every word and keeps a dictionary for every candidate; it is written from the way such
repositories work, and is not one of them. All variants must write the same sentences, which is checked.

With `--bundle` a trained model's own sentences, which end at different places: with and without those that are done
leaving the batch.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Regions
from chiasm.data.words import END, PAD, START, UNKNOWN
from chiasm.heads.decode import State
from chiasm.heads.decode import beam as search_file
from chiasm.heads.decode.beam import BeamSearch
from chiasm.heads.decode.limits import Limits
from chiasm.layers import kernels
from chiasm.layers.cells import LSTMCell
from chiasm.models import up_down
from chiasm.models._words import WritingModel
from chiasm.objectives.words import next_word
from chiasm.training.bundle import Bundle
from chiasm.training.data import BadRowPolicy, read_named

REGIONS, FEATURES, VOCABULARY, HIDDEN = 36, 2048, 10_000, 512


def decoder(seed: int = 0) -> up_down.UpDown:
    """Up-Down with random weights, the last layer's enlarged, so that its distributions are not flat."""
    torch.manual_seed(seed)
    config = up_down.Config(
        num_words=VOCABULARY, feature_size=FEATURES, embedding_size=HIDDEN, hidden_size=HIDDEN, attention_size=HIDDEN
    )
    model = up_down.Model(config, {"words": next_word}).eval()
    with torch.no_grad():
        model.targets.weight.mul_(30)
    return model


def images(count: int, seed: int = 1) -> Batch:
    """Random regions."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, REGIONS, FEATURES, generator=generator).relu()
    return Batch(regions=Regions(features, torch.rand(count, REGIONS, 4, generator=generator)))


class Plain:
    """The same decoder as captioning repositories write it: picture and last word are inputs at every step."""

    def __init__(self, model: up_down.UpDown) -> None:
        self.model = model
        self.top_down, self.language = _cell(model.top_down), _cell(model.language)

    def start(self, image: Batch) -> State:
        """As the model's, but with the picture's mean itself in memory."""
        state = self.model.start(image)
        assert image.regions is not None
        whole = torch.relu(self.model.whole(image.regions.features.mean(1)))
        return State(state.memory | {"whole": whole}, {name: t[:, 0] for name, t in state.beams.items()})

    def step(self, state: State, words: Tensor) -> tuple[Tensor, State]:
        """(rows,) -> scores (rows, V)."""
        model, memory, beams = self.model, state.memory, state.beams
        given = torch.cat([beams["h2"], memory["whole"], torch.relu(model.words(words))], 1)
        h1, c1 = self.top_down(given, (beams["h1"], beams["c1"]))
        _, seen = model.attention(h1[:, None], memory["keys"], memory["parts"], memory["mask"])
        h2, c2 = self.language(torch.cat([seen[:, 0], h1], 1), (beams["h2"], beams["c2"]))
        return model.targets(h2), state.after(h1=h1, c1=c1, h2=h2, c2=c2)


def _cell(cell: LSTMCell) -> nn.LSTMCell:
    """Torch's cell with the same weights."""
    weight = torch.cat([cell.input.weight, *(layer.get_parameter("weight") for layer in cell.earlier)], 1)
    found = nn.LSTMCell(weight.shape[1], cell.hidden.in_features)
    with torch.no_grad():
        for mine, theirs in ((found.weight_ih, weight), (found.weight_hh, cell.hidden.weight)):
            mine.copy_(theirs)
        found.bias_ih.copy_(cell.input.bias)
        found.bias_hh.copy_(cell.hidden.bias)
    return found


def one_by_one(model: Plain, batch: Batch, beam: int, words: int) -> list[list[int]]:
    """The best sentence of each image, image after image."""
    return [_one(model, batch[i], beam, words) for i in range(len(batch))]


def _one(model: Plain, image: Batch, beam: int, words: int) -> list[int]:
    copies = image[torch.zeros(beam, dtype=torch.int64)]
    assert copies.regions is not None
    state = model.start(copies)
    said: list[dict[str, Any]] = [{"words": [], "p": 0.0}]
    finished: list[dict[str, Any]] = []
    for place in range(words):
        before = torch.full((beam,), START)
        for row, candidate in enumerate(said):
            before[row] = candidate["words"][-1] if candidate["words"] else START
        scores, state = model.step(state, before)
        logs = scores.log_softmax(-1)
        logs[:, [PAD, START, UNKNOWN]] = -torch.inf
        values, order = torch.sort(logs, 1, descending=True)
        candidates = []
        for column in range(beam):
            for row in range(len(said)):
                word, p = int(order[row, column]), said[row]["p"] + float(values[row, column])
                candidates.append({"words": [*said[row]["words"], word], "p": p, "row": row})
        candidates.sort(key=lambda one: -one["p"])
        kept = candidates[:beam]
        finished += [one for one in kept if one["words"][-1] == END or place == words - 1]
        said = [one for one in kept if one["words"][-1] != END]
        if not said:
            break
        rows = torch.tensor([one["row"] for one in said] + [0] * (beam - len(said)))
        state = State(state.memory, {name: tensor[rows] for name, tensor in state.beams.items()})
    best: list[int] = max(finished, key=lambda one: one["p"])["words"]
    return best


def together(model: WritingModel, batch: Batch, beam: int, words: int) -> list[list[int]]:
    """The best sentence of each image, all at once."""
    search = BeamSearch(beam, limits=Limits(max_words=words))
    found = search(model.step, model.start(batch), num_images=len(batch), device=torch.device("cpu"))
    return [[w for w in row if w != PAD] for row in found.words[:, 0].tolist()]


def seconds(work: Callable[[], list[list[int]]], rounds: int) -> tuple[float, list[list[int]]]:
    """The least processor time of some rounds, which others on the machine disturb less, and the sentences."""
    best, found = float("inf"), []
    for _ in range(rounds):
        started = time.process_time()
        found = work()
        best = min(best, time.process_time() - started)
    return best, found


def measure(beam: int, count: int, words: int, rounds: int, loop_images: int) -> dict[str, float]:
    """Images per second of the loop, of the batched search, and of it with the faster matrix kernel."""
    model, batch = decoder(), images(count)
    plain = Plain(model)
    few = batch[:loop_images]
    found: dict[str, float] = {}
    with torch.inference_mode():
        with kernels.using("default"):
            took, loop = seconds(lambda: one_by_one(plain, few, beam, words), rounds)
            found["loop"] = loop_images / took
            took, all_at_once = seconds(lambda: together(model, batch, beam, words), rounds)
            found["batched"] = count / took
        with kernels.using(kernels.choice()):
            took, packed = seconds(lambda: together(model, batch, beam, words), rounds)
            found["batched, measured kernel"] = count / took
    same = sum(a == b for a, b in zip(loop, all_at_once[: len(loop)], strict=True))
    print(f"  same sentences: {same} of {loop_images} (loop and batched), ", end="")
    print(f"{sum(a == b for a, b in zip(all_at_once, packed, strict=True))} of {count} (both kernels)")
    found["same"] = same / loop_images
    return found


def leaving(folder: Path, data: Path, count: int, rounds: int) -> dict[str, float]:
    """Seconds for the validation sentences when those that are done stay in the batch, and when they leave it."""
    bundle = Bundle.load(folder)
    examples = read_named(bundle.recipe, data, bundle.recipe.data.validation, BadRowPolicy("stop"))[:count]
    dataset = bundle.dataset(examples)
    batches = torch.argsort(dataset.lengths()).split(128)
    model, kept = bundle.model.eval(), search_file.LEAVING

    def written() -> list[list[int]]:
        with torch.inference_mode():
            found = [model(dataset.batch(rows)).states["generated"][:, 0].tolist() for rows in batches]
        return [[word for word in row if word != PAD] for rows in found for row in rows]

    times: dict[str, list[float]] = {"stay": [], "leave": []}
    sentences = {}
    for _ in range(rounds):
        for name, part in (("stay", 1), ("leave", kept)):  # 1: never
            search_file.LEAVING = part
            took, sentences[name] = seconds(written, 1)
            times[name].append(took)
    search_file.LEAVING = kept
    same = sum(a == b for a, b in zip(sentences["stay"], sentences["leave"], strict=True))
    found = {name: min(values) for name, values in times.items()}
    print(f"{len(examples)} sentences, {same} the same; all stay {found['stay']:.1f} s, ", end="")
    print(f"those that are done leave {found['leave']:.1f} s, x{found['stay'] / found['leave']:.2f}")
    return found | {"same": same / len(examples)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--loop-images", type=int, default=16, help="of them the loop does so many")
    parser.add_argument("--beams", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--words", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/beam.json"))
    parser.add_argument("--bundle", type=Path, help="a trained translation or captioning model")
    parser.add_argument("--data", type=Path, help="its data")
    parser.add_argument("--sentences", type=int, default=384, help="of its validation split")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.bundle is not None:
        leaving(args.bundle, args.data, args.sentences, args.rounds)
        return
    print(f"kernel: {kernels.choice()}; one thread; processor time, least of {args.rounds} rounds")
    results = {}
    for beam in args.beams:
        print(f"beam {beam}")
        found = measure(beam, args.images, args.words, args.rounds, min(args.loop_images, args.images))
        for name in ("loop", "batched", "batched, measured kernel"):
            print(f"  {name:<26} {found[name]:8.1f} images/s  x{found[name] / found['loop']:.1f}")
        results[str(beam)] = found
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
