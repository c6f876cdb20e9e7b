"""How much of every input item reaches each position, carried through the attention steps of a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from chiasm.explain.evidence import Step, simultaneous

Mix = Callable[[Tensor, Tensor], Tensor]  # (what a position holds, what it is given) -> what it then holds


def propagate(steps: Sequence[Step], matrices: Sequence[Tensor], mix: Mix) -> Mapping[str, Tensor]:
    """Stream -> (rows, K_stream, K_total): how much of each input item each of the stream's positions holds.

    `matrices` holds one (rows, Q, K) for each step. Every position begins with itself; at a step a query takes, by
    its matrix, what the keys held before the step: held_q <- mix(held_q, A held_k). The columns are the items of all
    streams, in the order of `offsets`.
    """
    sizes = stream_sizes(steps)
    total = torch.eye(sum(sizes.values()), dtype=matrices[0].dtype, device=matrices[0].device)
    held = {n: total[part][None] for n, part in offsets(sizes).items()}
    matrix = {id(step): m for step, m in zip(steps, matrices, strict=True)}
    for group in simultaneous(list(steps)):
        held = held | {s.query: mix(held[s.query], matrix[id(s)] @ held[s.key]) for s in group}
    return held


def joins_up(steps: Sequence[Step]) -> bool:
    """Whether the steps can be followed from layer to layer: there are some, and every stream keeps its items.

    They cannot where a model pools a stream, or attends to items of its own making.
    """
    sizes = stream_sizes(steps)
    return bool(steps) and all(
        (step.weights.shape[-2], step.weights.shape[-1]) == (sizes[step.query], sizes[step.key]) for step in steps
    )


def stream_sizes(steps: Sequence[Step]) -> dict[str, int]:
    """Stream -> how many items it has, in order of first appearance."""
    sizes: dict[str, int] = {}
    for step in steps:
        sizes.setdefault(step.query, step.weights.shape[-2])
        sizes.setdefault(step.key, step.weights.shape[-1])
    return sizes


def offsets(sizes: Mapping[str, int]) -> dict[str, slice]:
    """Stream -> where its items lie among the items of all streams."""
    parts, start = {}, 0
    for name, size in sizes.items():
        parts[name] = slice(start, start + size)
        start += size
    return parts


def at_answer(held: Mapping[str, Tensor], steps: Sequence[Step]) -> dict[str, Tensor]:
    """What the answer holds: stream -> (rows, K) for the rows that the stream has in the batch.

    The answer is read at the first position of the text ([CLS]), as in BERT and LXMERT, or of the first stream when
    there is no text. A stream that no other one looks at would not be heard there: such a one (the image of a model
    that only concatenates) is read at its own first position, the class token, and all readers count alike. A text
    that was read beside several images has one row, the mean.
    """
    sizes = stream_sizes(steps)
    first = "text" if "text" in held else next(iter(held))
    heard = {step.key for step in steps if step.query != step.key}
    readers = [name for name in held if name == first or (name not in heard and _looks(name, steps))]
    parts = offsets(sizes)
    found: dict[str, Tensor] = {}
    for reader in readers:
        row = held[reader][:, 0] / len(readers)  # (rows, K_total)
        for name, part in parts.items():
            if name in readers and name != reader:
                continue  # it is not heard there
            own = next((s.weights.shape[0] for s in steps if s.query == name), row.shape[0])
            values = row[:, part]
            found[name] = values.mean(0, keepdim=True) if name == reader and own < len(values) else values
    return found


def _looks(name: str, steps: Sequence[Step]) -> bool:
    return any(step.query == name for step in steps)
