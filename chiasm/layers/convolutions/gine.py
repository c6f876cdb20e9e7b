"""Neighbours and their edges are summed (Xu et al., ICLR 2019; with edges: Hu et al., ICLR 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.layers.batch_norm import BatchNorm
from chiasm.layers.convolutions import ConditionedLinear, Convolution, Sizes
from chiasm.layers.graphs import Graphs


class GraphIsomorphism(Convolution):
    """h'_i = Theta((1 + eps) hhat_i + sum over j in N_i of relu(hhat_j + ehat_ji)), eps = 0 (GraphVQA, section 3.3.2).

    Theta is a single layer, and with `theta_layers = 2` FC, ReLU, FC, ReLU, batch norm (appendix B.2).

    # Differs: the released code's Theta (`released`) is FC, ReLU, FC.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        if sizes.nodes != sizes.edges:
            raise ValueError(f"GINE adds nodes and edges: their sizes {sizes.nodes} and {sizes.edges} must be equal")
        if sizes.theta_layers not in (1, 2):
            raise ValueError(f"theta_layers is {sizes.theta_layers}; 1 or 2 is expected")
        self.linear = ConditionedLinear(sizes.nodes, sizes.instruction, sizes.output)
        self.further = nn.Sequential()
        if sizes.theta_layers == 2 or sizes.released:
            self.further.extend([nn.ReLU(), nn.Linear(sizes.output, sizes.output)])
        if sizes.theta_layers == 2 and not sizes.released:
            self.further.extend([nn.ReLU(), BatchNorm(sizes.output)])

    def forward(self, nodes: Tensor, edges: Tensor, graphs: Graphs, instruction: Tensor | None) -> Tensor:
        """(N, F), edges' features (rows, F), (B, F') -> (N, D)."""
        messages = torch.relu(nodes[graphs.source] + graphs.of_edges(edges))
        hidden = self.linear.own(nodes + graphs.total(messages))
        if instruction is not None:
            # Of the instruction's part a node takes its own, i, and relu(i + i) from each neighbour.
            own = self.linear.given(instruction)[graphs.node_graph]
            each = self.linear.given(torch.relu(2 * instruction))[graphs.node_graph]
            hidden = hidden + own + graphs.degrees.to(own.dtype)[:, None] * each
        return self.further(self.linear.shift(hidden))


Layer = GraphIsomorphism
