"""Neighbours count alike (Kipf and Welling, ICLR 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from chiasm.layers.convolutions import ConditionedLinear, Convolution, Sizes
from chiasm.layers.graphs import Graphs


class GraphConvolution(Convolution):
    """h'_i = mean over j in N_i of W hhat_j + b (GraphVQA, equation 7, before its sigma).

    # Differs: the released code (`released`) takes torch_geometric's `GCNConv`, whose weights are 1 / sqrt(d_i d_j)
    with d the number of edges that end at a node. Edge features are not used in either.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.linear = ConditionedLinear(sizes.nodes, sizes.instruction, sizes.output)
        self.symmetric = sizes.released

    def forward(self, nodes: Tensor, edges: Tensor, graphs: Graphs, instruction: Tensor | None) -> Tensor:
        """(N, F), edges' features, (B, F') -> (N, D)."""
        weights = self._weights(graphs).to(nodes.dtype)
        taken = self.linear.own(graphs.gather(graphs.dense(weights), nodes)[:, 0])
        if instruction is not None:
            taken = taken + graphs.total(weights) * self.linear.given(instruction)[graphs.node_graph]
        return self.linear.shift(taken)

    def _weights(self, graphs: Graphs) -> Tensor:
        """(E, 1) what each edge counts."""
        degrees = graphs.degrees.clamp(min=1)
        if self.symmetric:
            return torch.rsqrt(degrees[graphs.source] * degrees[graphs.target])[:, None]
        return (1 / degrees[graphs.target])[:, None]


Layer = GraphConvolution
