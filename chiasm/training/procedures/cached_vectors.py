"""Training on cached vectors: fixed encoders read every text and image once, and only what follows them is trained.

The result is that of ordinary training of the same model (nothing random happens in fixed encoders); an epoch costs a
head instead of two encoders. One vector for each text or image is kept in memory, states of a text's word pieces in a
feature store on disk, where the next run with the same encoder and texts finds them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from chiasm.batch import Batch, Vectors
from chiasm.data.columns import Column, EncodedDataset
from chiasm.data.distinct import distinct_rows
from chiasm.models import CrossModalModel
from chiasm.training.errors import RecipeError
from chiasm.training.predict import evaluating
from chiasm.training.procedures import ordinary
from chiasm.training.setup import Outcome, Setup
from chiasm.training.text_states import with_states


class VectorsColumn(Column):
    """Vectors of all examples, each distinct one once.

    `lengths` are those of what was read, so that examples come in the same batches as without the cache.
    """

    def __init__(self, values: Tensor, index: Tensor, lengths: Tensor | None = None) -> None:
        self.values = values  # (I, D) float
        self.index = index  # (examples, S) int64
        self._lengths = lengths  # (examples,) int64

    def __len__(self) -> int:
        return self.index.shape[0]

    def lengths(self) -> Tensor | None:
        return self._lengths

    def gather(self, examples: Tensor) -> Vectors:
        """(B,) -> Vectors of (I, D)."""
        rows, index = distinct_rows(self.index[examples])
        return Vectors(self.values[rows], index=index)


def run(setup: Setup, *, batch_size: int = 64, folder: str = "") -> Outcome:
    """Train what follows the encoders of `setup.model`, which must be fixed; `batch_size` is that of the caching.

    The model has `vectors(batch)`, which gives its encoders' results by name, and takes them from a batch that holds
    them; one whose results are states of texts also has `fixed_parts()` (`training/text_states.py`). `folder`: where
    their stores are kept, "<run>/states" if not said. Raises `RecipeError` for a model without, or with encoders that
    are trained.
    """
    _check(setup.model)
    setup.model.to(setup.accelerator.device)
    sets = [setup.train] if setup.validation is None else [setup.train, setup.validation]
    if hasattr(setup.model, "fixed_parts"):
        place = Path(folder) if folder else setup.out / "states"
        with setup.accelerator.main_process_first():
            train, *rest = with_states(setup.model, sets, place, batch_size=batch_size)
    else:
        train, *rest = (cached(setup, one, batch_size) for one in sets)
    return ordinary.run(replace(setup, train=train, validation=rest[0] if rest else None))


def _check(model: CrossModalModel) -> None:
    """Raises `RecipeError` for a model whose encoders cannot be cached."""
    if not hasattr(model, "vectors"):
        raise RecipeError("training.procedure: this model has no vectors to cache; use 'ordinary'")
    if hasattr(model, "fixed_parts"):
        _, modules = model.fixed_parts()  # type: ignore[operator]
        fixed = not any(parameter.requires_grad for module in modules for parameter in module.parameters())
    else:
        fixed = bool(getattr(model.config, "freeze", False))
    if not fixed:
        raise RecipeError("training.procedure: cached vectors of encoders that are trained grow stale; freeze them")


def cached(setup: Setup, dataset: EncodedDataset, batch_size: int) -> EncodedDataset:
    """The data set with the encoders' vectors in place of what they read; targets and examples are the same."""
    images = _images(dataset)
    order = torch.arange(len(dataset)) if images is None else torch.argsort(images[:, 0], stable=True)
    columns: dict[str, VectorsColumn] = {}
    with evaluating(setup.model), torch.no_grad():
        for positions in order.split(batch_size):
            batch = dataset.batch(positions).to(setup.accelerator.device)
            for name, found in _vectors(setup, batch).items():
                rows = found.vectors.float().cpu()
                places = torch.arange(len(positions))[:, None] if found.index is None else found.index.cpu()
                if name not in columns:
                    columns[name] = _empty(name, dataset, places.shape[1], rows.shape[1])
                columns[name].values[columns[name].index[positions]] = rows[places]
    return EncodedDataset(dataset.examples, columns, dataset.targets)


def _vectors(setup: Setup, batch: Batch) -> dict[str, Vectors]:
    found: dict[str, Vectors] = setup.model.vectors(batch)  # type: ignore[operator]
    return found


def _empty(name: str, dataset: EncodedDataset, each: int, size: int) -> VectorsColumn:
    """A column to be filled: of images a row for each distinct one, of texts a row for each of each example."""
    index = _images(dataset)
    if name == "image_vectors" and index is not None:
        return VectorsColumn(torch.zeros(int(index.max()) + 1, size), index)
    rows = len(dataset) * each
    return VectorsColumn(torch.zeros(rows, size), torch.arange(rows).view(-1, each), dataset.lengths())


def _images(dataset: EncodedDataset) -> Tensor | None:
    """(examples, S) which of the distinct images each example shows; None when the column does not say."""
    return getattr(dataset.streams.get("images"), "index", None)
