"""How much each word and region mattered to an answer, always with the score that says how far to believe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chiasm.explain.faithfulness import Faithfulness, faithfulness
from chiasm.explain.methods import method
from chiasm.explain.probe import Probe

METHODS = ("attention_gradient", "integrated_gradients", "gradient_input", "rollout")


@dataclass(frozen=True)
class Attribution:
    """One method's relevance of every item, and its faithfulness in each stream that can be tested."""

    method: str
    title: str
    relevance: Mapping[str, Tensor]  # stream -> (rows, K); rows of regions are views
    faithfulness: Mapping[str, Faithfulness]  # stream -> score; a stream with a single item has none


def attribute(
    probe: Probe, methods: Sequence[str] = METHODS, *, random_orders: int = 10, seed: int = 0
) -> tuple[Attribution, ...]:
    """The attributions of one answer, one for each method that applies to the model, in the order given.

    Raises `UnknownName` for a method that does not exist.
    """
    found = []
    for name in methods:
        how = method(name)
        with torch.inference_mode(False), torch.enable_grad():
            relevance = {stream: values.detach().cpu() for stream, values in how.attribute(probe).items()}
        scores = {
            stream: score
            for stream, values in relevance.items()
            if (score := faithfulness(probe, stream, values, random_orders=random_orders, seed=seed)) is not None
        }
        if relevance:
            found.append(Attribution(name, how.TITLE, relevance, scores))
    return tuple(found)
