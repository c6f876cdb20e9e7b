"""Neighbours are weighted by attention whose score is a perceptron: equation 8 of GraphVQA as it is printed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.layers.convolutions import ConditionedLinear, Sizes
from chiasm.layers.graph_attention import AttentiveConvolution
from chiasm.layers.graphs import Graphs


class PerceptronAttention(AttentiveConvolution):
    """score_ij = a . relu(U [hhat_i ; hhat_j ; ehat_ij] + c), a perceptron of one hidden layer with D inner values.

    In the released code's linear score (`gat`) the instruction is the same for all neighbours of a node, and all but
    leaves their softmax; here it decides which neighbours count (Brody et al., "How attentive are graph attention
    networks?", ICLR 2022, say the same of the score of Velickovic et al.).

    U is applied to nodes, edges and instructions each for itself, and the results are added.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.from_target = ConditionedLinear(sizes.nodes, sizes.instruction, sizes.output)
        self.from_source = nn.Linear(sizes.nodes, sizes.output, bias=False)
        self.from_edge = nn.Linear(sizes.edges, sizes.output, bias=False)
        self.score = nn.Linear(sizes.output, sizes.num_heads, bias=False)
        for linear in (self.from_source, self.from_edge, self.score):
            nn.init.xavier_uniform_(linear.weight)

    def scores(self, nodes: Tensor, edges: Tensor, graphs: Graphs, instruction: Tensor | None) -> Tensor:
        """-> (E, H)."""
        target = self.from_target.shift(self.from_target.own(nodes))
        if instruction is not None:
            target = target + self.from_target.given(instruction)[graphs.node_graph]
        hidden = target[graphs.target] + self.from_source(nodes)[graphs.source] + graphs.of_edges(self.from_edge(edges))
        scores: Tensor = self.score(torch.relu(hidden))
        return scores


Layer = PerceptronAttention
