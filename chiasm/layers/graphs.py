"""Graphs of a batch, laid one after another without padding, and the sums, softmaxes and norms over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from chiasm.batch import SceneGraph
from chiasm.layers.masking import masked_softmax


@dataclass(frozen=True)
class Graphs:
    """Which node belongs to which graph, and which edge runs from where to where.

    A message flows from `source` to `target`. Several examples about one graph may share its edges' features; then
    `edge_rows` says which row of them each edge has.
    """

    slots: Tensor  # (N,) int64: the node's place when every graph is padded to `size` nodes
    source: Tensor  # (E,) int64
    target: Tensor  # (E,) int64
    count: int  # B, graphs
    size: int  # nodes of the largest graph
    edge_rows: Tensor | None = None  # (E,) int64

    @cached_property
    def node_graph(self) -> Tensor:
        """(N,) int64: the graph of each node."""
        return self.slots // self.size

    @cached_property
    def edge_graph(self) -> Tensor:
        """(E,) int64: the graph of each edge."""
        return self.node_graph[self.target]

    @cached_property
    def degrees(self) -> Tensor:
        """(N,) float: how many edges end at each node."""
        return torch.bincount(self.target, minlength=len(self.slots)).to(torch.get_default_dtype())

    def of_edges(self, values: Tensor) -> Tensor:
        """(rows, ...) -> (E, ...): each edge's own row."""
        return values if self.edge_rows is None else values[self.edge_rows]

    def padded(self, x: Tensor) -> Tensor:
        """(N, ...) -> (B, size, ...), zeros after a graph's last node."""
        room = x.new_zeros(self.count * self.size, *x.shape[1:])
        return room.index_copy(0, self.slots, x).unflatten(0, (self.count, self.size))

    def flat(self, x: Tensor) -> Tensor:
        """(B, size, ...) -> (N, ...)."""
        return x.flatten(0, 1)[self.slots]

    def total(self, values: Tensor) -> Tensor:
        """(E, ...) -> (N, ...): the sum over the edges that end at each node."""
        return values.new_zeros(len(self.slots), *values.shape[1:]).index_add(0, self.target, values)

    def mean(self, values: Tensor) -> Tensor:
        """(E, D) -> (N, D): the mean over the edges that end at each node, zero where none does."""
        return self.total(values) / self.degrees.clamp(min=1).to(values.dtype)[:, None]

    def softmax(self, scores: Tensor) -> Tensor:
        """(E, H) -> (E, H): each head's softmax over the edges that end at one node."""
        lowest = scores.new_full((len(self.slots), scores.shape[1]), torch.finfo(scores.dtype).min)
        where = self.target[:, None].expand_as(scores)
        largest = lowest.scatter_reduce(0, where, scores.detach(), "amax")
        powers = (scores - largest[self.target]).exp()
        return powers / self.total(powers)[self.target]

    def dense(self, weights: Tensor) -> Tensor:
        """(E, H) -> (B, size, H, size): what each node takes from each other; edges between the same two are summed."""
        heads = weights.shape[1]
        row = self.slots[self.target][:, None] * heads + torch.arange(heads, device=weights.device)  # (E, H)
        place = row * self.size + (self.slots[self.source] % self.size)[:, None]
        room = weights.new_zeros(self.count * self.size * heads * self.size)
        return room.index_add(0, place.flatten(), weights.flatten()).view(self.count, self.size, heads, self.size)

    def gather(self, dense: Tensor, x: Tensor) -> Tensor:
        """(B, size, H, size), (N, D) -> (N, H, D): the weighted sum of its sources that each node takes, per head."""
        taken = dense.flatten(1, 2) @ self.padded(x)  # (B, size * H, D)
        return self.flat(taken.unflatten(1, (self.size, -1)))

    def pool(self, scores: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1), (N, D) -> (B, D), (B, size): the sum of each graph's nodes weighted by a softmax, and its weights."""
        real = self.padded(torch.ones_like(self.slots, dtype=torch.bool))
        weights = masked_softmax(self.padded(scores)[..., 0], real)
        return (weights[:, None] @ self.padded(x))[:, 0], weights


def graphs_of(stream: SceneGraph) -> tuple[Graphs, Tensor]:
    """Scene graphs (I, N), (I, E) -> their nodes and edges in order, padding left out; and (I, E) which are real.

    An edge from or to a node that is masked is left out too.
    """
    real = _real_edges(stream)
    return _laid_out(stream.node_mask, stream.edge_index, real), real


def graphs_of_examples(stream: SceneGraph) -> tuple[Graphs, Tensor]:
    """The same with one graph for each example, and (N,) which of the distinct graphs' nodes each of its nodes is."""
    edge_mask = _real_edges(stream)
    if stream.index is None:
        graphs = _laid_out(stream.node_mask, stream.edge_index, edge_mask)
        return graphs, torch.arange(len(graphs.slots), device=graphs.slots.device)
    index = stream.index[:, 0]
    nodes, edges = stream.node_mask[index], edge_mask[index]
    rows = _numbers(edge_mask)[index][edges]
    return _laid_out(nodes, stream.edge_index[index], edges, rows), _numbers(stream.node_mask)[index][nodes]


def _laid_out(node_mask: Tensor, edge_index: Tensor, edge_mask: Tensor, rows: Tensor | None = None) -> Graphs:
    count, size = node_mask.shape
    number = _numbers(node_mask)
    ends = edge_index[edge_mask]  # (E, 2), places inside a graph
    graph = edge_mask.nonzero()[:, 0]
    slots = node_mask.flatten().nonzero()[:, 0]
    return Graphs(slots, number[graph, ends[:, 0]], number[graph, ends[:, 1]], count, max(size, 1), rows)


def _numbers(mask: Tensor) -> Tensor:
    """(B, K) bool -> (B, K) int64: each real item's number among all real ones."""
    return (mask.flatten().cumsum(0) - 1).view(mask.shape)


def _real_edges(stream: SceneGraph) -> Tensor:
    """(I, E) bool: the real edges between real nodes."""
    source, target = stream.edge_index.unbind(-1)
    return stream.edge_mask & stream.node_mask.gather(1, source) & stream.node_mask.gather(1, target)


class GraphNorm(nn.Module):
    """(x - mean) / (deviation + eps) w + b, over all nodes and channels of one graph; w and b are single numbers.

    Ba et al. 2016 over a graph, as torch_geometric's `LayerNorm(mode="graph")`: eps is added to the deviation.
    """

    def __init__(self, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, graphs: Graphs) -> Tensor:
        """(N, D) -> (N, D)."""
        numbers = torch.bincount(graphs.node_graph, minlength=graphs.count).clamp(min=1).to(x.dtype)[:, None]

        def average(values: Tensor) -> Tensor:
            room = values.new_zeros(graphs.count, 1)
            return room.index_add(0, graphs.node_graph, values.mean(1, keepdim=True)) / numbers

        centred = x - average(x)[graphs.node_graph]
        deviation = average(centred.square()).sqrt()
        return centred / (deviation + self.eps)[graphs.node_graph] * self.weight + self.bias
