"""Do the words and regions that are called relevant matter to the answer? Hide them, and see.

Items are hidden one share after another, the most relevant first (positive perturbation) and the least relevant
first (negative perturbation; Chefer et al. 2021, section 4). A faithful ranking makes the answer's probability fall
soon in the first case and late in the second; the area between the two curves is its score. A random ranking has an
area around 0, and several are drawn to say how far around.

Hiding sets the item's mask bit to False: nothing attends to it, nothing else moves.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chiasm.explain.probe import Probe, answering, hide, in_chunks, items, repeat
from chiasm.metrics.estimate import Estimate, mean

RANDOM_ORDERS = 10
LEVELS = 10  # shares at most: an image of 36 regions is not hidden one by one
CHUNK = 64  # perturbed copies in one forward pass


@dataclass(frozen=True)
class Faithfulness:
    """Perturbation curves of one ranking over one stream, and the score drawn from them.

    Curves are the probability of the explained answer after hiding the share `hidden` of the stream's items.
    """

    stream: str
    hidden: NDArray[np.float64]  # (P,) from 0 to 1
    most_relevant_first: NDArray[np.float64]  # (P,)
    least_relevant_first: NDArray[np.float64]  # (P,)
    random_order: NDArray[np.float64]  # (orders, P)
    random_areas: NDArray[np.float64]  # (orders,) the score of each random ranking

    @property
    def area(self) -> float:
        """Between the curves, in [-1, 1]: high is faithful, 0 is no better than chance."""
        return _area(self.hidden, self.least_relevant_first - self.most_relevant_first)

    @property
    def random(self) -> Estimate:
        """The random rankings' mean area, and the range (2 standard deviations) in which one would lie."""
        centre, spread = float(self.random_areas.mean()), float(self.random_areas.std(ddof=1))
        return Estimate(centre, centre - 1.96 * spread, centre + 1.96 * spread, len(self.random_areas))

    def to_json(self) -> dict[str, object]:
        return {
            "stream": self.stream,
            "area": self.area,
            "random": self.random.to_json(),
            "hidden": self.hidden.tolist(),
            "most_relevant_first": self.most_relevant_first.tolist(),
            "least_relevant_first": self.least_relevant_first.tolist(),
            "random_order": self.random_order.mean(0).tolist(),
        }


def faithfulness(
    probe: Probe, stream: str, relevance: Tensor, *, random_orders: int = RANDOM_ORDERS, seed: int = 0
) -> Faithfulness | None:
    """The score of `relevance` (rows, K) over one stream; None when fewer than two items can be ranked."""
    found = items(dict(probe.batch.streams())[stream])
    if found is None or int(found.sum()) < 2:
        return None
    positions = found.nonzero()  # (items, 2): row, item
    ranked = torch.argsort(relevance[found].cpu().double(), descending=True, stable=True)
    # Each example draws orders of its own: with shared ones a mean over examples would not approach 0.
    generator = torch.Generator().manual_seed(seed + zlib.crc32("".join(probe.batch.ids).encode()))
    shuffled = [torch.randperm(len(ranked), generator=generator) for _ in range(random_orders)]
    orders = [direction for order in (ranked, *shuffled) for direction in (order, order.flip(0))]
    counts = _counts(len(ranked))
    curves = _curves(probe, stream, positions, torch.stack(orders), counts)  # (2 + 2 * orders, P)
    hidden = np.array(counts) / len(ranked)
    first, last = curves[0::2], curves[1::2]
    return Faithfulness(
        stream=stream,
        hidden=hidden,
        most_relevant_first=first[0],
        least_relevant_first=last[0],
        random_order=np.concatenate([first[1:], last[1:]]),
        random_areas=np.array([_area(hidden, b - a) for a, b in zip(first[1:], last[1:], strict=True)]),
    )


def over_examples(found: Sequence[Faithfulness]) -> Mapping[str, Estimate]:
    """ "area" and "random": the mean scores over several examples, each with a 95 % bootstrap interval."""
    return {
        "area": mean([one.area for one in found]),
        "random": mean([float(one.random_areas.mean()) for one in found]),
    }


def _counts(number: int) -> list[int]:
    """How many of `number` items are hidden at each point: 0 to all, at most `LEVELS` steps."""
    steps = min(number, LEVELS)
    return [math.ceil(number * step / steps) for step in range(steps + 1)]


def _curves(probe: Probe, stream: str, positions: Tensor, orders: Tensor, counts: Sequence[int]) -> NDArray[np.float64]:
    """(orders, items) rankings -> (orders, P) probabilities of the answer as more and more is hidden."""
    rank = torch.argsort(orders, 1)  # (orders, items): when each item is hidden
    gone = rank[:, None, :] < torch.tensor(counts)[None, :, None]  # (orders, P, items)
    subsets, index = torch.unique(gone.flatten(0, 1), dim=0, return_inverse=True)
    probabilities = []
    with answering(probe.model), torch.no_grad():
        for chunk in in_chunks(range(len(subsets)), CHUNK):
            batch = repeat(probe.batch, len(chunk))
            hidden = _hidden(items(dict(probe.batch.streams())[stream]), positions, subsets[list(chunk)])
            output = probe.model(hide(batch, stream, hidden))
            probabilities.append(probe.probability(output).double().cpu())
    return torch.cat(probabilities)[index].unflatten(0, gone.shape[:2]).numpy()


def _hidden(found: Tensor | None, positions: Tensor, subsets: Tensor) -> Tensor:
    """(copies, items) -> (copies * rows, K) bool: the subsets laid out as the stream is."""
    if found is None:
        raise ValueError("a stream without a sequence of items cannot be hidden item by item")
    layout = torch.zeros(len(subsets), *found.shape, dtype=torch.bool, device=found.device)
    layout[:, positions[:, 0], positions[:, 1]] = subsets.to(found.device)
    return layout.flatten(0, 1)


def _area(hidden: NDArray[np.float64], between: NDArray[np.float64]) -> float:
    """The trapezoidal area under `between` over the hidden share."""
    return float(((between[1:] + between[:-1]) / 2 * np.diff(hidden)).sum())
