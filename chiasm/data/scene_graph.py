"""Scene graphs -> the padded stream of nodes and edges, each distinct graph once."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from chiasm.batch import SceneGraph
from chiasm.data.columns import Column, Preprocessor
from chiasm.data.distinct import distinct_rows
from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.graphs import SELF, Graph, GraphError, read_graph
from chiasm.data.vocabulary import is_missing

PADDING, UNKNOWN = "<pad>", "<unk>"
SHOWN = 5  # unknown words that a note names
FIRST = (PADDING, UNKNOWN, SELF)  # the vocabulary begins with these


class SceneGraphColumn(Column):
    """All distinct graphs in flat tensors, and which of them each example asks about."""

    def __init__(self, graphs: Iterable[Graph], numbers: Mapping[str, int], words: int, index: Tensor) -> None:
        nodes, edges, boxes = array("i"), array("i"), array("f")
        node_counts, edge_counts = [], []
        unknown = numbers[UNKNOWN]
        distinct: set[str] = set()
        for graph in graphs:
            for node in graph.words:
                nodes.extend(numbers.get(word, unknown) for word in node[:words])
                nodes.extend([0] * (words - len(node)))
                distinct.update(node[:words])
            for edge in graph.edges:
                relation = numbers.get(edge.relation, unknown)
                edges.extend((edge.source, edge.target, relation, edge.is_reversed))
                distinct.add(edge.relation)
            for box in graph.boxes:
                boxes.extend(box)
            node_counts.append(len(graph.words))
            edge_counts.append(len(graph.edges))
        self.node_ids = torch.from_numpy(np.array(nodes, dtype=np.int32).reshape(-1, words))
        self.edges = torch.from_numpy(np.array(edges, dtype=np.int32).reshape(-1, 4))
        self.boxes = torch.from_numpy(np.array(boxes, dtype=np.float32).reshape(-1, 4))
        self.node_starts, self.edge_starts = _starts(node_counts), _starts(edge_counts)
        self.index = index  # (examples, 1)
        distinct.difference_update(FIRST)
        self.distinct, self.unknown = len(distinct), sorted(distinct - numbers.keys())

    def __len__(self) -> int:
        return len(self.index)

    def lengths(self) -> Tensor:
        """Nodes of each example's graph."""
        return self.node_starts.diff()[self.index[:, 0]]

    def notes(self) -> list[str]:
        """How many words of the graphs the model does not know."""
        if not self.unknown:
            return []
        some = ", ".join(map(repr, self.unknown[:SHOWN])) + (", ..." if len(self.unknown) > SHOWN else "")
        count = f"{len(self.unknown)} of {self.distinct}"
        return [f"{count} distinct names, attributes and relations of the graphs are unknown to the model: {some}"]

    def gather(self, examples: Tensor) -> SceneGraph:
        """(B,) -> SceneGraph of the distinct graphs (I, N), (I, E)."""
        rows, index = distinct_rows(self.index[examples])
        nodes, node_mask = _places(self.node_starts, rows)
        edge_places, edge_mask = _places(self.edge_starts, rows)
        edges = self.edges[edge_places].long() * edge_mask[..., None]  # (I, E, 4)
        return SceneGraph(
            node_ids=self.node_ids[nodes].long() * node_mask[..., None],
            node_mask=node_mask,
            edge_index=edges[..., :2],
            edge_ids=edges[..., 2:3],
            edge_mask=edge_mask,
            edge_reversed=edges[..., 3].bool(),
            boxes=self.boxes[nodes] * node_mask[..., None],
            index=index,
        )


class Preprocess(Preprocessor):
    """Scene graphs (role `graph`) -> nodes of at most `max_words` words (name and attributes), edges both ways.

    The vocabulary, of whole names, attributes and relations, is learnt from the training graphs; others are unknown.
    With `location` the picture's place ("outdoors") is a node.

    # Differs: the published code leaves the place out (`location` false, the default), so that questions about the
    whole picture must be guessed from its objects.
    """

    stream: ClassVar[str] = "scene_graph"
    role: ClassVar[str] = "graph"

    def __init__(
        self,
        *,
        max_words: int = 12,
        location: bool = False,
        from_boxes: bool = False,  # relations come from the boxes, even where the graphs have some
    ) -> None:
        if max_words < 1:
            raise ValueError(f"max_words is {max_words}; a node needs at least 1, its name")
        self.options: dict[str, Any] = {"max_words": max_words, "location": location, "from_boxes": from_boxes}
        self.numbers: dict[str, int] = {}

    @property
    def facts(self) -> dict[str, int]:
        return {"graph_vocab_size": len(self._known())}

    def fit(self, examples: Sequence[Example]) -> Self:
        counts: Counter[str] = Counter()
        for graph in self._graphs(*_distinct(examples), examples):
            counts.update(word for node in graph.words for word in node)
            counts.update(edge.relation for edge in graph.edges)
        words = sorted((w for w in counts if w not in FIRST), key=lambda w: (-counts[w], w))
        self.numbers = {word: number for number, word in enumerate([*FIRST, *words])}
        return self

    def encode(self, examples: Sequence[Example]) -> SceneGraphColumn:
        values, index = _distinct(examples)
        graphs = self._graphs(values, index, examples)
        return SceneGraphColumn(graphs, self._known(), self.options["max_words"], index)

    def graph(self, example: Example) -> Graph:
        """One example's graph as the model sees it: what evidence is drawn over. Raises `RowError`."""
        (graph,) = self._graphs(*_distinct([example]), [example])
        return graph

    def save(self, folder: Path) -> None:
        record = {"stream": self.stream, "options": self.options, "vocabulary": list(self._known())}
        text = json.dumps(record, indent=1, ensure_ascii=False)
        (folder / "preprocess.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        record = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        loaded = cls(**record["options"])
        loaded.numbers = {word: number for number, word in enumerate(record["vocabulary"])}
        return loaded

    def _known(self) -> dict[str, int]:
        if not self.numbers:
            raise DataError("the scene graph preprocessor has no vocabulary yet: call fit(training examples) first")
        return self.numbers

    def _graphs(self, values: Sequence[Any], index: Tensor, examples: Sequence[Example]) -> Iterator[Graph]:
        """The distinct graphs in order, one at a time. At the end raises `RowError`s naming every bad row."""
        reasons: dict[int, str] = {}
        options = self.options
        for place, value in enumerate(values):
            try:
                yield read_graph(_there(value), location=options["location"], from_boxes=options["from_boxes"])
            except GraphError as error:
                reasons[place] = str(error)
        raise_rows(
            RowError(reasons[place], origin=example.origin, row_id=example.id)
            for example, place in zip(examples, index[:, 0].tolist(), strict=True)
            if place in reasons
        )


def _distinct(examples: Sequence[Example]) -> tuple[list[Any], Tensor]:
    """The distinct graphs as they were brought, and (examples, 1) which of them each example has.

    Questions about one picture hold the very same object.
    """
    values: list[Any] = []
    known: dict[int, int] = {}  # the object -> its place
    rows = []
    for example in examples:
        value = example.values.get(Preprocess.role)
        if id(value) not in known:
            known[id(value)] = len(values)
            values.append(value)
        rows.append(known[id(value)])
    return values, torch.tensor(rows, dtype=torch.int64).reshape(-1, 1)


def _there(value: Any) -> Any:
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        raise GraphError(
            "the row has no scene graph. A data set's are read with [data] options = { graphs = true }; without gold "
            "graphs give the things of the picture with name and box"
        )
    return value


def _starts(counts: Sequence[int]) -> Tensor:
    return torch.from_numpy(np.concatenate([[0], np.cumsum(np.array(counts, dtype=np.int64))]))


def _places(starts: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """(rows + 1,), (I,) -> (I, K) places in a flat tensor, and which are real; the others are 0."""
    counts = starts[rows + 1] - starts[rows]
    steps = torch.arange(int(counts.max()) if len(rows) else 0)
    mask = steps < counts[:, None]
    return (starts[rows][:, None] + steps) * mask, mask
