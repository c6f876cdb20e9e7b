"""GAT with equation 8's perceptron, beside the formula written out edge by edge."""

from __future__ import annotations

import math
from collections import defaultdict

import torch
from torch import Tensor

from chiasm.layers.convolutions import Sizes
from chiasm.layers.convolutions.gat import GraphAttention
from chiasm.layers.convolutions.gat_mlp import PerceptronAttention
from chiasm.layers.graphs import Graphs

HEADS, NODES, EDGES, TOLD, OUT = 3, 6, 5, 4, 7
SOURCE = [0, 0, 1, 3, 4, 5, 0, 1, 2, 3, 4, 5]  # the edge 0 -> 1 twice, and each node's own
TARGET = [1, 1, 2, 0, 5, 4, 0, 1, 2, 3, 4, 5]


def sizes() -> Sizes:
    return Sizes(nodes=NODES, edges=EDGES, instruction=TOLD, output=OUT, num_heads=HEADS, attention_dropout=0.0)


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = ((6, NODES), (len(SOURCE), EDGES), (2, TOLD))
    nodes, edges, told = (torch.randn(shape, generator=generator) for shape in shapes)
    return nodes, edges, told


def graphs_of_two() -> Graphs:
    """Nodes 0 to 3 are one graph, 4 and 5 another."""
    return Graphs(torch.tensor([0, 1, 2, 3, 4, 5]), torch.tensor(SOURCE), torch.tensor(TARGET), 2, 4)


def written_out(layer: PerceptronAttention, nodes: Tensor, edges: Tensor, told: Tensor, graph: list[int]) -> Tensor:
    """Equations 8 and 9, one edge after another."""
    matrix = torch.cat([layer.from_target.weight, layer.from_source.weight, layer.from_edge.weight], 1)
    scores: dict[int, list[tuple[int, Tensor]]] = defaultdict(list)
    for edge, (j, i) in enumerate(zip(SOURCE, TARGET, strict=True)):
        joined = torch.cat([nodes[i], told[graph[i]], nodes[j], edges[edge]])
        inner = (matrix @ joined + layer.from_target.bias).clamp_min(0)
        scores[i].append((j, layer.score.weight @ inner))
    rows = []
    for i in range(len(nodes)):
        total = torch.zeros(OUT)
        for head in range(HEADS):
            exponentials = [math.exp(float(score[head].detach())) for _, score in scores[i]]
            for (j, _), exponential in zip(scores[i], exponentials, strict=True):
                value = layer.weight[head] @ torch.cat([nodes[j], told[graph[i]]])
                total = total + exponential / sum(exponentials) * value / HEADS
        rows.append(total + layer.bias)
    return torch.stack(rows)


def made() -> PerceptronAttention:
    torch.manual_seed(1)
    layer = PerceptronAttention(sizes()).eval()
    with torch.no_grad():
        for bias in (layer.bias, layer.from_target.bias):
            assert bias is not None
            bias.uniform_(-1, 1)
    return layer


def test_it_is_equation_8_written_out() -> None:
    layer, (nodes, edges, told) = made(), inputs()
    found = layer(nodes, edges, graphs_of_two(), told).detach()
    expected = written_out(layer, nodes, edges, told, [0, 0, 0, 0, 1, 1]).detach()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def moved(layer: GraphAttention | PerceptronAttention) -> float:
    """How far another instruction moves the weights of neighbours."""
    nodes, edges, told = inputs()
    graphs = graphs_of_two()
    weights = [graphs.softmax(layer.scores(nodes, edges, graphs, 3 * sign * told)) for sign in (1, -1)]
    return float((weights[0] - weights[1]).detach().abs().max())


def test_the_instruction_decides_which_neighbours_count() -> None:
    assert moved(made()) > 0.05


def test_in_the_linear_score_above_zero_the_instruction_cancels() -> None:
    """The finding in `gat_mlp`: what is the same for all neighbours leaves their softmax, but for a bend."""
    torch.manual_seed(1)
    layer = GraphAttention(sizes()).eval()
    nodes, edges, told = inputs()
    graphs = graphs_of_two()
    raised = layer.scores(nodes, edges, graphs, None) + 100  # nothing bends up there
    other = raised + 7.0 * told[:, :1][graphs.edge_graph]
    torch.testing.assert_close(graphs.softmax(raised), graphs.softmax(other), atol=1e-4, rtol=0)
