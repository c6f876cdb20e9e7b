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

from chiasm.explain.probe import Probe, answering, hide, items, repeat
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
    return faithfulness_of(probe, stream, {"it": relevance}, random_orders=random_orders, seed=seed).get("it")


def faithfulness_of(
    probe: Probe,
    stream: str,
    relevances: Mapping[str, Tensor],
    *,
    random_orders: int = RANDOM_ORDERS,
    seed: int = 0,
) -> dict[str, Faithfulness]:
    """The scores of several methods' relevances (rows, K) over one stream, beside the same random orders.

    Empty when fewer than two items can be ranked. Raises ValueError for fewer than two random orders.
    """
    if random_orders < 2:
        raise ValueError(f"random_orders is {random_orders}: at least 2 are needed to say how far they scatter")
    found = items(dict(probe.batch.streams())[stream])
    if found is None or int(found.sum()) < 2:
        return {}
    ranked = [torch.argsort(r[found.cpu()].double(), descending=True, stable=True) for r in relevances.values()]
    # Each example draws orders of its own: with shared ones a mean over examples would not approach 0.
    generator = torch.Generator().manual_seed(seed + zlib.crc32("".join(probe.batch.ids).encode()))
    shuffled = [torch.randperm(int(found.sum()), generator=generator) for _ in range(random_orders)]
    counts = _counts(int(found.sum()))
    curves = _curves(probe, stream, found.nonzero(), torch.stack([*ranked, *shuffled]), counts)  # (orders, 2, P)
    hidden, random = np.array(counts) / counts[-1], curves[len(ranked) :]
    areas = np.array([_area(hidden, last - first) for first, last in random])
    return {
        name: Faithfulness(stream, hidden, first, last, random.reshape(-1, len(counts)), areas)
        for name, (first, last) in zip(relevances, curves[: len(ranked)], strict=True)
    }


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
    """(orders, items) rankings -> (orders, 2, P) probabilities as more is hidden: best first, worst first.

    Orders share many sets of hidden items (none, all), and each set is answered once.
    """
    both = torch.stack([orders, orders.flip(1)], 1).flatten(0, 1)  # (orders * 2, items)
    rank = torch.argsort(both, 1)  # when each item is hidden
    gone = rank[:, None, :] < torch.tensor(counts)[None, :, None]  # (orders * 2, P, items)
    subsets, index = torch.unique(gone.flatten(0, 1), dim=0, return_inverse=True)
    probabilities = []
    with answering(probe.model), torch.no_grad():
        for chunk in subsets.split(CHUNK):
            hidden = _hidden(items(dict(probe.batch.streams())[stream]), positions, chunk)
            output = probe.model(hide(repeat(probe.batch, len(chunk)), stream, hidden))
            probabilities.append(probe.probability(output).double().cpu())
    curves: NDArray[np.float64] = torch.cat(probabilities)[index].view(len(orders), 2, len(counts)).numpy()
    return curves


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
