"""What travels through a model: typed streams, the `Batch` that holds them, the `Output` that leaves.

Shape letters, the same in every file:

    B  examples in a batch          T  tokens              D  hidden size
    I  distinct images in a batch   R  regions             H  attention heads
    S  images that one example has  N  graph nodes         A  answers (classes)
    L  layers                       E  graph edges         F  input features
    V  vocabulary entries           P  image patches       K  kept items (top-k, beam)
    C  channels or table columns    U  utterances

Masks are boolean, True = real. Nothing here knows about files, tasks or models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def _convert(value: T, change: Any) -> T:
    """`change` applied to every tensor inside a field's value: a tensor, a stream or a mapping of them."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Stream):
        return value.map(change)
    if isinstance(value, Mapping):
        return {key: _convert(inner, change) for key, inner in value.items()}  # type: ignore[return-value]
    return value


@dataclass(frozen=True)
class Stream:
    """One modality of a batch: tensors whose first dimension is the stream's own rows.

    `index` (B, S) tells which rows belong to each example, so that an image asked five questions is held, and
    encoded, once, and an example may have several images. `None`: row b is example b's, and S is 1.
    """

    index: Tensor | None = field(default=None, kw_only=True)  # (B, S) int64

    def map(self, change: Any) -> Self:
        """The same stream with `change` applied to each tensor."""
        return replace(self, **{f.name: _convert(getattr(self, f.name), change) for f in fields(self)})

    @property
    def num_rows(self) -> int:
        """How many rows the tensors have: B, or the number of distinct items when `index` is given."""
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name != "index" and isinstance(value, Tensor):
                return value.shape[0]
        raise ValueError(f"{type(self).__name__} holds no tensor")

    @property
    def num_examples(self) -> int:
        """B."""
        return self.num_rows if self.index is None else self.index.shape[0]

    def select(self, examples: Tensor) -> Self:
        """The stream of the chosen examples (a 1-d int64 tensor); rows nobody needs any more are dropped."""
        if self.index is None:
            return self.map(lambda tensor: tensor[examples])
        rows, index = torch.unique(self.index[examples], return_inverse=True)
        chosen = replace(self, index=None).map(lambda tensor: tensor[rows])
        return replace(chosen, index=index)


@dataclass(frozen=True)
class Text(Stream):
    """Word pieces: [CLS] w1 .. wn [SEP] and padding."""

    input_ids: Tensor  # (B, T) int64
    attention_mask: Tensor  # (B, T) bool
    token_type_ids: Tensor | None = None  # (B, T) int64; None: all zero


@dataclass(frozen=True)
class Regions(Stream):
    """Parts of images: a feature vector and a box each."""

    features: Tensor  # (I, R, F) float
    boxes: Tensor  # (I, R, 4) float: x1, y1, x2, y2 divided by the image's width and height
    attention_mask: Tensor | None = None  # (I, R) bool; None: all real
    labels: Tensor | None = None  # (I, R) int64 detected class, -1 unknown
    confidences: Tensor | None = None  # (I, R) float in [0, 1]
    attributes: Tensor | None = None  # (I, R) int64 detected attribute, -1 unknown
    attribute_confidences: Tensor | None = None  # (I, R) float in [0, 1]


@dataclass(frozen=True)
class Images(Stream):
    """Whole images, resized to one size and normalised as the encoder expects.

    `attention_mask` hides patches from an encoder that can leave them out: its positions are the encoder's summary
    (the class token), then the patches row by row.
    """

    pixel_values: Tensor  # (I, C, height, width) float
    attention_mask: Tensor | None = None  # (I, 1 + P) bool; None: all are seen


@dataclass(frozen=True)
class Vectors(Stream):
    """One vector for each text or image, computed before: by an encoder that does not change any more."""

    vectors: Tensor  # (I, D) float


@dataclass(frozen=True)
class States(Stream):
    """One vector for each word piece of a text: what a text encoder says, often one that does not change any more."""

    states: Tensor  # (I, T, D) float
    attention_mask: Tensor  # (I, T) bool


@dataclass(frozen=True)
class SceneGraph(Stream):
    """Scene graphs, padded: nodes with name and attributes, directed edges with a relation."""

    node_ids: Tensor  # (I, N, T) int64: the name and the attributes, each one entry of a vocabulary; 0 where none
    node_mask: Tensor  # (I, N) bool
    edge_index: Tensor  # (I, E, 2) int64: source and target node
    edge_ids: Tensor  # (I, E, T) int64: the relation
    edge_mask: Tensor  # (I, E) bool
    edge_reversed: Tensor | None = None  # (I, E) bool: added, to run against a relation; None: no edge is
    boxes: Tensor | None = None  # (I, N, 4) float in [0, 1]


@dataclass(frozen=True)
class Audio(Stream):
    """Sound features over time."""

    features: Tensor  # (B, T, F) float
    attention_mask: Tensor  # (B, T) bool


@dataclass(frozen=True)
class Video(Stream):
    """Frame features over time."""

    features: Tensor  # (B, T, F) float
    attention_mask: Tensor  # (B, T) bool


@dataclass(frozen=True)
class Table(Stream):
    """One table row an example: numbers (standardised) and categories (0 = unknown or missing)."""

    numbers: Tensor  # (B, C) float, missing values filled
    numbers_mask: Tensor  # (B, C) bool: False where the value was missing
    categories: Tensor  # (B, C') int64


@dataclass(frozen=True)
class Dialogue(Stream):
    """Windows of conversations: an utterance that is asked about and those around it, in the order of time.

    Speakers are numbered as seen from there: 0 is who says that utterance. Padding may stand on both sides. `texts`
    holds the utterances' words once each; its own `index` (B, U) says which row is spoken in which slot.
    """

    features: Tensor | None  # (B, U, F) float, of all modalities side by side; None: there are texts only
    speakers: Tensor  # (B, U) int64, 0 the speaker of the utterance asked about
    attention_mask: Tensor  # (B, U) bool
    query: Tensor  # (B,) int64, the slot of the utterance asked about
    texts: Text | None = None  # rows are distinct utterances

    def select(self, examples: Tensor) -> Self:
        """The windows of the chosen examples, with the texts that they need."""
        texts = None if self.texts is None else self.texts.select(examples)
        return replace(super(Dialogue, replace(self, texts=None)).select(examples), texts=texts)


@dataclass(frozen=True)
class Batch:
    """B examples: at most one stream of each kind by its name, further ones in `more`, and the targets by head."""

    text: Text | None = None
    regions: Regions | None = None
    images: Images | None = None
    scene_graph: SceneGraph | None = None
    audio: Audio | None = None
    video: Video | None = None
    table: Table | None = None
    dialogue: Dialogue | None = None
    more: Mapping[str, Stream] = field(default_factory=dict)  # e.g. {"choices": Text}
    targets: Mapping[str, Tensor] = field(default_factory=dict)  # head -> (B, ...)
    ids: tuple[str, ...] = ()

    def streams(self) -> Iterator[tuple[str, Stream]]:
        """The streams that are present, by name."""
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Stream):
                yield f.name, value
        yield from self.more.items()

    def __len__(self) -> int:
        """B."""
        for _, stream in self.streams():
            return stream.num_examples
        for target in self.targets.values():
            return target.shape[0]
        return len(self.ids)

    def _map(self, change: Any) -> Self:
        return replace(self, **{f.name: _convert(getattr(self, f.name), change) for f in fields(self)})

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Every tensor on `device`."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """Every tensor in page-locked memory, for fast copies to a GPU."""
        return self._map(lambda tensor: tensor.pin_memory())

    def __getitem__(self, examples: int | slice | Tensor) -> Self:
        """The batch of the chosen examples: one, a slice, or a 1-d tensor of int64 positions or booleans."""
        positions = torch.arange(len(self))[examples]
        chosen = positions.reshape(-1) if isinstance(examples, int) else positions
        select: dict[str, Any] = {name: stream.select(chosen) for name, stream in self.streams()}
        more = {name: select.pop(name) for name in self.more}
        targets = {head: target[chosen] for head, target in self.targets.items()}
        ids = tuple(self.ids[i] for i in chosen.tolist()) if self.ids else ()
        return replace(self, **select, more=more, targets=targets, ids=ids)


@dataclass(frozen=True)
class Output:
    """What a model says: scores keyed by head, and states other parts may read."""

    scores: Mapping[str, Tensor]  # head -> (B, ...), logits unless the head says otherwise
    states: Mapping[str, Tensor] = field(default_factory=dict)  # name -> hidden states, e.g. "pooled" (B, D)
