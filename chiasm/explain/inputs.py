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

    Inputs are stream -> (rows, K, F): the rows of the word table for a text, embedded patches for whole images,
    `features` for other sequences. They are leaves of the graph, so that a score can be differentiated by them; scale 0
    is the baseline: zero vectors, with positions and boxes unchanged.
    """
    inputs: dict[str, Tensor] = {}
    streams: dict[str, Any] = {}
    for name, stream in batch.streams():
        features = getattr(stream, "features", None)
        if features is None or name in batch.more:
            continue
        inputs[name] = features.detach().requires_grad_()
        streams[name] = replace(cast("Any", stream), features=inputs[name] * _rows(scale, features))
    words = getattr(model, "get_input_embeddings", None) if isinstance(batch.text, Text) else None
    patches = getattr(model, "get_image_embeddings", None) if batch.images is not None else None
    with torch.enable_grad(), _leaves("text", words, scale, inputs), _leaves("images", patches, scale, inputs):
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
def _leaves(
    name: str, find: Callable[[], nn.Module | None] | None, scale: Tensor, inputs: dict[str, Tensor]
) -> Iterator[None]:
    """Inside the block the vectors that leave a model's table are leaves of the graph, scaled, and kept in `inputs`.

    `find` gives the table; without one, or when it gives none, the stream has no gradient here.
    """
    table = None if find is None else find()
    if table is None:
        yield
        return

    def replace_vectors(module: nn.Module, arguments: Any, vectors: Tensor) -> Tensor:
        inputs[name] = vectors.detach().requires_grad_()
        return inputs[name] * _rows(scale, vectors)

    hook = table.register_forward_hook(replace_vectors)
    try:
        yield
    finally:
        hook.remove()


def _rows(scale: Tensor, like: Tensor) -> Tensor:
    """(B,) -> (rows, 1, 1): every row of an example gets the example's scale."""
    return scale.repeat_interleave(like.shape[0] // scale.shape[0])[:, None, None].to(like)
