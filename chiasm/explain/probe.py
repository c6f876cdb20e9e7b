"""One example ready to be questioned: its batch, the answer whose reasons are sought, and what can be hidden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from chiasm.batch import Batch, Images, Output, SceneGraph, Stream, Table, Text
from chiasm.models import CrossModalModel
from chiasm.objectives.answers import answer_shares, number, one_answer
from chiasm.tasks import BaseTask


@dataclass(frozen=True)
class Probe:
    """A model, one example, and the answer that is to be explained.

    The batch holds the example once (B = 1), and every image has a row of its own even when an example shows one
    image twice, so that row s of a stream is view s.
    """

    model: CrossModalModel
    task: BaseTask
    batch: Batch
    answer: int  # index of the answer in the main head; of one score for yes and no: 1 or 0
    unchanged: float  # the answer's score when nothing is changed

    def score(self, output: Output) -> Tensor:
        """Output (B, ...) -> (B,) the score of the answer before any squashing, to be differentiated."""
        return self.task.score_of(output, [self.answer] * _main_head(output).shape[0])

    def probability(self, output: Output) -> Tensor:
        """Output (B, ...) -> (B,) the probability of the answer, as the task's objective means it.

        Softmax where the answers exclude each other, the answer's own sigmoid otherwise. For a number it is how near
        it stays: 1 / (1 + |change|), in the unit of the score.
        """
        head, scores = next(iter(output.scores.items()))
        objective = self.task.objectives().get(head)
        if objective in (one_answer, answer_shares):
            return self.score(Output({head: scores.softmax(-1)}))
        if objective is number:
            return 1 / (1 + (self.score(output) - self.unchanged).abs())
        return self.score(output).sigmoid()


def probe(model: CrossModalModel, task: BaseTask, batch: Batch, answer: int | None = None) -> Probe:
    """A probe of the one example in `batch`; without `answer`, of the answer that the model gives.

    Raises ValueError when the batch holds another number of examples than one.
    """
    if len(batch) != 1:
        raise ValueError(f"an explanation is of one example, the batch holds {len(batch)}")
    batch = with_patches(model, repeat(batch, 1))
    with answering(model), torch.no_grad():
        output = model(batch)
    batch = model.hold(batch, output)
    if answer is None:
        answer = _likeliest(_main_head(output))
    asked = Probe(model, task, batch, answer, 0.0)
    return replace(asked, unchanged=float(asked.score(output)))


def repeat(batch: Batch, times: int) -> Batch:
    """The one example of `batch` `times` over, no row shared: (times * S) rows of each stream, in order."""
    copies = batch[torch.zeros(times, dtype=torch.int64)]
    own: dict[str, Any] = {name: _unshared(stream) for name, stream in copies.streams()}
    more = {name: own.pop(name) for name in copies.more}
    return replace(copies, **own, more=more)


def with_patches(model: CrossModalModel, batch: Batch) -> Batch:
    """The batch with a mask of its images' patches, all seen, where the model can leave out single ones."""
    images, positions = batch.images, model.image_positions()
    if images is None or not positions:
        return batch
    seen = torch.ones(images.num_rows, positions, dtype=torch.bool, device=images.pixel_values.device)
    return replace(batch, images=replace(images, attention_mask=seen))


def _unshared(stream: Stream) -> Stream:
    if stream.index is None:
        return stream
    examples, views = stream.index.shape
    rows = replace(stream, index=None).map(lambda tensor: tensor[stream.index.reshape(-1)])
    if views == 1:
        return rows
    return replace(rows, index=torch.arange(examples * views).view(examples, views).to(stream.index.device))


def items(stream: Stream) -> Tensor | None:
    """(rows, K) bool: what can be hidden in a stream; None for a stream that is not a sequence.

    Of a text these are its words: [CLS] and [SEP], the first and the last real position, always stay. Of a table they
    are its columns: numbers, then categories. Of whole images, whose patches have a mask, they are the patches. Of a
    scene graph they are its nodes.
    """
    if isinstance(stream, Table):
        columns = stream.numbers.shape[1] + stream.categories.shape[1]
        return torch.ones(stream.num_rows, columns, dtype=torch.bool, device=stream.numbers.device)
    if isinstance(stream, SceneGraph):
        return stream.node_mask.clone()
    mask = getattr(stream, "attention_mask", None)
    if mask is None:
        features = getattr(stream, "features", None)
        return None if features is None else torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
    if isinstance(stream, Images):
        patches: Tensor = mask.clone()
        patches[:, 0] = False  # the encoder's summary
        return patches
    if not isinstance(stream, Text):
        return mask.clone()
    words: Tensor = mask.clone()
    words[:, 0] = False
    last = mask.shape[1] - 1 - mask.flip(1).int().argmax(1)
    words[torch.arange(len(words), device=words.device), last] = False
    return words


def hide(batch: Batch, name: str, hidden: Tensor) -> Batch:
    """The batch without the items of stream `name` where `hidden` (rows, K) is true: their mask bit is False.

    Nothing attends to a hidden word or region; the others keep their positions and boxes. A hidden number of a table
    is 0, the middle of its transformed column; a hidden category is unknown. With a hidden node its edges are gone.
    """
    streams = dict(batch.streams())
    stream: Any = streams[name]
    if isinstance(stream, Table):
        changed: Any = _without_columns(stream, hidden)
    elif isinstance(stream, SceneGraph):
        changed = replace(stream, node_mask=stream.node_mask & ~hidden)
    else:
        mask = stream.attention_mask if stream.attention_mask is not None else torch.ones_like(hidden)
        changed = replace(stream, attention_mask=mask & ~hidden)
    if name in batch.more:
        return replace(batch, more={**batch.more, name: changed})
    fields: dict[str, Any] = {name: changed}
    return replace(batch, **fields)


def _without_columns(table: Table, hidden: Tensor) -> Table:
    numbers, categories = hidden.split([table.numbers.shape[1], table.categories.shape[1]], 1)
    return replace(
        table,
        numbers=table.numbers.masked_fill(numbers, 0.0),
        numbers_mask=table.numbers_mask & ~numbers,
        categories=table.categories.masked_fill(categories, 0),
    )


@contextmanager
def answering(model: torch.nn.Module) -> Iterator[None]:
    """The model without dropout inside the `with` block, and as it was after it."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def in_chunks(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The items in order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _likeliest(scores: Tensor) -> int:
    """(1, A) -> the index of the best answer; of a single score for yes and no, 1 where it is above 0."""
    flat = scores.reshape(-1)
    return int(flat.argmax()) if len(flat) > 1 else int(flat[0] > 0)


def _main_head(output: Output) -> Tensor:
    return next(iter(output.scores.values()))
