"""What a model recorded on its way to an answer: attention by layer and head, in the order it happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chiasm.batch import Batch, Output
from chiasm.explain.probe import answering
from chiasm.layers.recording import record
from chiasm.models import CrossModalModel, Evidence


@dataclass(frozen=True)
class Maps:
    """One kind of evidence about one example: a matrix for each layer, view and head.

    Rows are views: one for each image of the example, or a single one when the images do not take part.
    """

    evidence: Evidence
    layers: tuple[Tensor, ...]  # each (views, H, Q, K), rows sum to 1 for attention

    def mean_over_heads(self) -> tuple[Tensor, ...]:
        """A (views, Q, K) matrix for each layer."""
        return tuple(layer.mean(1) for layer in self.layers)

    def mean(self) -> Tensor:
        """(views, Q, K): the mean over layers and heads."""
        return torch.stack(self.mean_over_heads()).mean(0)

    def first(self, sizes: Mapping[str, int]) -> Maps:
        """Of each stream in `sizes` only so many items: what comes after them is padding."""
        queries, keys = sizes.get(self.evidence.query), sizes.get(self.evidence.key)
        return replace(self, layers=tuple(layer[:, :, :queries, :keys] for layer in self.layers))


def darkest(matrix: NDArray[np.float64]) -> float:
    """The value of an attention matrix (Q, K) to draw darkest: its largest, at least twice that of even attention.

    So a query that looks everywhere alike is drawn in a middle tone, and not as if it stared.
    """
    return max(float(matrix.max()), 2 / matrix.shape[1])


@dataclass(frozen=True)
class Step:
    """One recorded look of one stream at another, at its place in the forward pass."""

    query: str  # the stream that looks
    key: str  # the stream looked at
    weights: Tensor  # (rows, H, Q, K)


def observe(model: CrossModalModel, batch: Batch) -> tuple[Output, tuple[Maps, ...]]:
    """One forward pass with the recorder on: the same output as without it, and all the maps.

    Evidence that the model declares but did not compute in this pass (an empty stack of layers) is left out.
    """
    with answering(model), torch.no_grad(), record(model) as recorded:
        output = model(batch)
    maps = []
    for evidence in model.evidence():
        layers = tuple(recorded[module][0] for module in evidence.modules if recorded[module])
        if layers:
            maps.append(Maps(evidence, layers))
    return output, tuple(maps)


def attention_steps(model: CrossModalModel, batch: Batch) -> tuple[Output, list[Step]]:
    """A forward pass inside autograd: the output, and every attention in the order in which it was computed.

    The weights stay in the graph, so that a score can be differentiated by them, also those of frozen parts.
    """
    streams = {m: (e.query, e.key) for e in model.evidence() if e.kind == "attention" for m in e.modules}
    order: list[str] = []
    hooks = [
        model.get_submodule(name).register_forward_hook(lambda *_, name=name: order.append(name)) for name in streams
    ]
    try:
        with answering(model), thawed(model), torch.enable_grad(), record(model, keep_grad=True) as recorded:
            output = model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    seen = dict.fromkeys(name for name in order if recorded[name])
    return output, [Step(*streams[name], recorded[name][0]) for name in seen]


@contextmanager
def thawed(model: torch.nn.Module) -> Iterator[None]:
    """Inside the `with` block every parameter takes a gradient; after it those do that did before."""
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    try:
        for parameter in frozen:
            parameter.requires_grad_(True)
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


def simultaneous(steps: list[Step]) -> list[tuple[Step, ...]]:
    """The steps in groups that read the same states: the two directions of one cross-attention belong together."""
    groups: list[tuple[Step, ...]] = []
    for step in steps:
        last = groups[-1] if groups else ()
        if len(last) == 1 and step.query != step.key and (last[0].query, last[0].key) == (step.key, step.query):
            groups[-1] = (last[0], step)
        else:
            groups.append((step,))
    return groups
