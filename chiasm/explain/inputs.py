"""The real-valued inputs of a model, where gradients are taken: word vectors and features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Output, Text
from chiasm.models import CrossModalModel


def scaled_forward(model: CrossModalModel, batch: Batch, scale: Tensor) -> tuple[Output, Mapping[str, Tensor]]:
    """The output when example b's inputs are multiplied by scale[b], and those inputs, before scaling.

    Inputs are stream -> (rows, K, F): the rows of the word table for a text, `features` for other sequences. They are
    leaves of the graph, so that a score can be differentiated by them; scale 0 is the baseline: zero vectors, with
    positions and boxes unchanged.
    """
    inputs: dict[str, Tensor] = {}
    streams: dict[str, Any] = {}
    for name, stream in batch.streams():
        features = getattr(stream, "features", None)
        if features is None or name in batch.more:
            continue
        inputs[name] = features.detach().requires_grad_()
        streams[name] = replace(cast("Any", stream), features=inputs[name] * _rows(scale, features))
    with torch.enable_grad(), _word_vectors(model, batch, scale, inputs):
        output = model(replace(batch, **streams))
    return output, inputs


def gradients(score: Tensor, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Stream -> gradient of the summed score by its input; a stream that it does not depend on is left out."""
    names = list(inputs)
    if not names:
        return {}
    found = torch.autograd.grad(score.sum(), [inputs[name] for name in names], allow_unused=True)
    return {name: gradient for name, gradient in zip(names, found, strict=True) if gradient is not None}


@contextmanager
def _word_vectors(model: CrossModalModel, batch: Batch, scale: Tensor, inputs: dict[str, Tensor]) -> Iterator[None]:
    """Inside the block what leaves the model's word table is a leaf of the graph, scaled, and kept in `inputs`.

    A model without `get_input_embeddings` has no word table to look at; its text then has no gradient here.
    """
    find_table: Callable[[], nn.Module] | None = getattr(model, "get_input_embeddings", None)
    if not isinstance(batch.text, Text) or find_table is None:
        yield
        return

    def replace_vectors(module: nn.Module, arguments: Any, vectors: Tensor) -> Tensor:
        inputs["text"] = vectors.detach().requires_grad_()
        return inputs["text"] * _rows(scale, vectors)

    hook = find_table().register_forward_hook(replace_vectors)
    try:
        yield
    finally:
        hook.remove()


def _rows(scale: Tensor, like: Tensor) -> Tensor:
    """(B,) -> (rows, 1, 1): every row of an example gets the example's scale."""
    return scale.repeat_interleave(like.shape[0] // scale.shape[0])[:, None, None].to(like)
