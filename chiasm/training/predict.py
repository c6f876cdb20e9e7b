"""A model's answers to a whole data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from chiasm.batch import Output
from chiasm.data.columns import EncodedDataset
from chiasm.models import CrossModalModel
from chiasm.tasks import BaseTask, Prediction
from chiasm.training.progress import Progress, Quiet, Rate, clock


def predict(
    model: CrossModalModel,
    task: BaseTask,
    dataset: EncodedDataset,
    *,
    batch_size: int = 256,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
    positions: Tensor | None = None,
    top_k: int = 5,
) -> list[Prediction]:
    """The answer to each example, in the data set's order (or that of `positions`).

    Examples of like length are answered together, whatever their order, so that little is padded; those about one image
    where the model sees to lengths itself, so that each image is encoded once. `device`: where the model is, if not
    given. The model's training mode is as before afterwards.
    """
    chosen = torch.arange(len(dataset)) if positions is None else positions
    device = next(model.parameters(), torch.empty(0)).device if device is None else torch.device(device)
    keys = _images(dataset) if model.groups_lengths() and device.type == "cpu" else None
    keys = dataset.lengths() if keys is None else keys
    order = torch.arange(len(chosen)) if keys is None else torch.argsort(keys[chosen], stable=True)
    answers: dict[int, Prediction] = {}
    with evaluating(model), torch.inference_mode():
        for part in _shown(order.split(batch_size), progress or Quiet()):
            batch = dataset.batch(chosen[part]).to(device)
            decoded = task.decode(full_precision(model(batch)), batch.ids, top_k=top_k)
            answers.update(zip(part.tolist(), decoded, strict=True))
    return [answers[i] for i in range(len(chosen))]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block."""
    was = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was)


def full_precision(output: Output) -> Output:
    """The output with its half-precision tensors as float32, as losses and answers need them."""
    return Output(_floats(output.scores), _floats(output.states))


def _images(dataset: EncodedDataset) -> Tensor | None:
    """(examples,): the first image of each, numbered; None when no stream shares rows among examples."""
    found = (getattr(column, "index", None) for column in dataset.streams.values())
    return next((index[:, 0] for index in found if isinstance(index, Tensor) and index.ndim == 2), None)


def _floats(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    halves = (torch.float16, torch.bfloat16)
    return {name: tensor.float() if tensor.dtype in halves else tensor for name, tensor in tensors.items()}


def _shown(parts: tuple[Tensor, ...], progress: Progress) -> Iterator[Tensor]:
    """The parts, with a line about the time left every `progress.interval` seconds when there are many."""
    rate, shown = Rate(0), 0.0
    for number, part in enumerate(parts):
        yield part
        if rate.seconds() - shown > max(10.0, progress.interval):
            shown = rate.seconds()
            left = clock(rate.seconds_left(number + 1, len(parts)))
            progress.note(f"answering: batch {number + 1} of {len(parts)}, {left} left")
