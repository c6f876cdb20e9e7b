"""What a fixed text encoder says of every distinct text, read once and kept in a feature store on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chiasm.batch import Batch, States, Text
from chiasm.data.columns import Column, EncodedDataset
from chiasm.data.distinct import distinct_rows
from chiasm.data.extractors import ExtractorIdentity
from chiasm.data.features import FeatureStore
from chiasm.data.store_writer import StoreWriter
from chiasm.data.text import TextColumn
from chiasm.models import CrossModalModel
from chiasm.training.errors import RecipeError
from chiasm.training.predict import evaluating

NAME = "text_states"
VERSION = "1"  # raised whenever the same encoder and text would be kept otherwise
NO_BOXES = "none: states of word pieces"

Texts = Mapping[str, tuple[TextColumn, int]]  # hash of a distinct text -> a place where it stands


class StatesColumn(Column):
    """States of all examples' texts, each distinct text once, read from the store when they are asked for."""

    def __init__(self, store: FeatureStore, rows: Tensor, lengths: Tensor) -> None:
        self.store = store
        self.rows = rows  # (examples,) int64: the text of each in the store
        self._lengths = lengths  # (examples,) int64: word pieces that are real

    def __len__(self) -> int:
        return self.rows.shape[0]

    def lengths(self) -> Tensor:
        return self._lengths

    def gather(self, examples: Tensor) -> States:
        """(B,) -> States of (I, T, D), T the longest of the chosen texts."""
        rows, index = distinct_rows(self.rows[examples][:, None])
        lengths = torch.zeros(len(rows), dtype=torch.int64)
        places = torch.arange(len(examples)) if index is None else index[:, 0]
        lengths[places] = self._lengths[examples]
        states = self.store.gather(rows).features
        return States(states, torch.arange(states.shape[1]) < lengths[:, None], index=index)


def with_states(
    model: CrossModalModel, datasets: Sequence[EncodedDataset], folder: Path, *, batch_size: int = 64
) -> list[EncodedDataset]:
    """The data sets with the states of their texts in place of the texts; targets and examples are the same.

    Every distinct text of all data sets is encoded once, and never again by the same encoder: the store in `folder` is
    named by the encoder's weights and the texts. The model says by `fixed_parts()` what its `vectors(batch)` come from:
    options and modules. Raises `RecipeError` for data without texts.
    """
    columns = [_texts(dataset) for dataset in datasets]
    keys = [_keys(column) for column in columns]
    known: dict[str, tuple[TextColumn, int]] = {}
    for column, names in zip(columns, keys, strict=True):
        for place, name in enumerate(names):
            known.setdefault(name, (column, place))
    options, modules = model.fixed_parts()  # type: ignore[operator]
    identity = _hash([json.dumps(options, sort_keys=True).encode(), *_bytes_of(modules)])
    kept = folder / f"{identity}-{_hash(name.encode() for name in sorted(known))}"
    if not kept.exists():
        _write(model, known, kept, identity, batch_size)
    store = FeatureStore(kept)
    found = []
    for dataset, column, names in zip(datasets, columns, keys, strict=True):
        streams = {stream: one for stream, one in dataset.streams.items() if stream != "text"}
        streams[NAME] = StatesColumn(store, store.rows(names), column.lengths())
        found.append(EncodedDataset(dataset.examples, streams, dataset.targets))
    return found


def _write(model: CrossModalModel, known: Texts, place: Path, identity: str, batch_size: int) -> None:
    """Encode every text once, those of one length together so that nothing is padded, and keep what is said."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with evaluating(model), torch.no_grad():
        batches = _batches(known, batch_size)
        first = _states(model, known, batches[0])
        about = ExtractorIdentity(NAME, VERSION, identity, first.shape[2], NO_BOXES)
        with StoreWriter(place, about) as writer:
            for number, names in enumerate(batches):
                states = first if number == 0 else _states(model, known, names)
                boxes = np.zeros((states.shape[1], 4), np.float32)
                for name, own in zip(names, states, strict=True):
                    writer.append(name, own, boxes)


def _batches(known: Texts, batch_size: int) -> list[list[str]]:
    """The texts in batches of one length each, short ones first."""
    by_length: dict[int, list[str]] = {}
    for name, (column, place) in known.items():
        by_length.setdefault(int(column.offsets[place + 1] - column.offsets[place]), []).append(name)
    return [
        names[start : start + batch_size]
        for _, names in sorted(by_length.items())
        for start in range(0, len(names), batch_size)
    ]


def _states(model: CrossModalModel, known: Texts, names: Sequence[str]) -> NDArray[np.float32]:
    """(B, T, D) of texts of one length."""
    texts = [known[name] for name in names]
    ids = torch.stack([column.ids[column.offsets[place] : column.offsets[place + 1]] for column, place in texts])
    text = Text(ids.long(), torch.ones(ids.shape, dtype=torch.bool))
    batch = Batch(text=text).to(next(model.parameters()).device)
    found: dict[str, States] = model.vectors(batch)  # type: ignore[operator]
    return found[NAME].states.float().cpu().numpy()


def _texts(dataset: EncodedDataset) -> TextColumn:
    column = dataset.streams.get("text")
    if not isinstance(column, TextColumn):
        raise RecipeError("training.procedure: states of texts are cached of a [text] stream; use 'ordinary'")
    return column


def _keys(column: TextColumn) -> list[str]:
    """What tells distinct texts apart: a hash of the word pieces."""
    flat, ends = column.ids.numpy(), column.offsets.tolist()
    return [_hash([flat[a:b].tobytes()]) for a, b in pairwise(ends)]


def _bytes_of(modules: Iterable[nn.Module]) -> Iterator[bytes]:
    """Every weight, with its name and shape."""
    for module in modules:
        for name, tensor in module.state_dict().items():
            yield f"{name} {tuple(tensor.shape)}".encode()
            yield tensor.detach().cpu().contiguous().numpy().tobytes()


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]
