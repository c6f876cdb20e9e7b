"""How much each word and region mattered to an answer, always with the score that says how far to believe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chiasm.explain.faithfulness import Faithfulness, faithfulness_of
from chiasm.explain.methods import method
from chiasm.explain.probe import Probe

METHODS = ("graph_flow", "attention_gradient", "integrated_gradients", "gradient_input", "rollout")


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
    relevances: dict[str, Mapping[str, Tensor]] = {}
    for name in methods:
        with torch.inference_mode(False), torch.enable_grad():
            values = method(name).attribute(probe)
        if values:
            relevances[name] = {stream: value.detach().cpu() for stream, value in values.items()}
    scores: dict[str, Mapping[str, Faithfulness]] = {}
    for stream in dict.fromkeys(stream for found in relevances.values() for stream in found):
        of_stream = {name: found[stream] for name, found in relevances.items() if stream in found}
        scores[stream] = faithfulness_of(probe, stream, of_stream, random_orders=random_orders, seed=seed)
    return tuple(
        Attribution(name, method(name).TITLE, found, {s: scores[s][name] for s in found if name in scores[s]})
        for name, found in relevances.items()
    )
