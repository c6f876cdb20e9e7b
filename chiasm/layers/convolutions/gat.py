"""Neighbours are weighted by attention (Velickovic et al., ICLR 2018), here with edge features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.layers.convolutions import Sizes
from chiasm.layers.graph_attention import AttentiveConvolution, glorot_of_heads
from chiasm.layers.graphs import Graphs

NEGATIVE_SLOPE = 0.2


class GraphAttention(AttentiveConvolution):
    """score_ij = LeakyReLU(a_s . W hhat_j + a_t . W hhat_i + a_e . W_e ehat_ij).

    # Differs: equation 8 says MLP(hhat_i, hhat_j, ehat_ij) without details; this is the released code's, which is
    torch_geometric's `GATConv` with the heads averaged. `gat_mlp` is equation 8.

    W_e only ever feeds a dot product with a_e, so it is folded into it: a matrix of F x H, not F x (H D).
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        heads, output = sizes.num_heads, sizes.output
        self.edge_weight = nn.Parameter(torch.empty(heads, output, sizes.edges + sizes.instruction))
        self.to_source = nn.Parameter(torch.empty(heads, output))
        self.to_target = nn.Parameter(torch.empty(heads, output))
        self.to_edge = nn.Parameter(torch.empty(heads, output))
        glorot_of_heads(self.edge_weight)
        for vector in (self.to_source, self.to_target, self.to_edge):
            nn.init.xavier_uniform_(vector)

    def scores(self, nodes: Tensor, edges: Tensor, graphs: Graphs, instruction: Tensor | None) -> Tensor:
        """-> (E, H), after the LeakyReLU."""
        source, target, edge = (
            torch.einsum("hof,ho->hf", weight, vector)
            for weight, vector in [
                (self.weight, self.to_source),
                (self.weight, self.to_target),
                (self.edge_weight, self.to_edge),
            ]
        )
        linear = nn.functional.linear
        of_nodes = linear(nodes, torch.cat([source, target])[:, : self.nodes])  # (N, 2 H)
        of_source, of_target = of_nodes.chunk(2, 1)
        scores = of_source[graphs.source] + of_target[graphs.target]
        scores = scores + graphs.of_edges(linear(edges, edge[:, : self.edges]))
        if instruction is not None:
            given = source[:, self.nodes :] + target[:, self.nodes :] + edge[:, self.edges :]
            scores = scores + linear(instruction, given)[graphs.edge_graph]
        return nn.functional.leaky_relu(scores, NEGATIVE_SLOPE)


Layer = GraphAttention
