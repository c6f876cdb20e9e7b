"""Neighbours are weighted by attention (Velickovic et al., ICLR 2018), here with edge features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.layers.convolutions import Convolution, Sizes
from chiasm.layers.dropout import Dropout
from chiasm.layers.graphs import Graphs
from chiasm.layers.recording import Tap

NEGATIVE_SLOPE = 0.2


class GraphAttention(Convolution):
    """h'_i = mean over heads of sum over j in N_i of alpha_ij W hhat_j, + b (GraphVQA, equation 9, before its sigma).

        alpha_ij = softmax over j of LeakyReLU(a_s . W hhat_j + a_t . W hhat_i + a_e . W_e ehat_ij)

    # Differs: equation 8 says MLP(hhat_i, hhat_j, ehat_ij) without details; this is the released code's, which is
    torch_geometric's `GATConv` with the heads averaged.

    W_e only ever feeds a dot product with a_e, so it is folded into it: a matrix of F x H, not F x (H D). Sums over
    neighbours are taken of h itself, before W, which then gives D numbers for a node and not H D.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        heads, output = sizes.num_heads, sizes.output
        self.nodes, self.edges = sizes.nodes, sizes.edges
        self.weight = nn.Parameter(torch.empty(heads, output, sizes.nodes + sizes.instruction))
        self.edge_weight = nn.Parameter(torch.empty(heads, output, sizes.edges + sizes.instruction))
        self.to_source = nn.Parameter(torch.empty(heads, output))
        self.to_target = nn.Parameter(torch.empty(heads, output))
        self.to_edge = nn.Parameter(torch.empty(heads, output))
        self.bias = nn.Parameter(torch.zeros(output))
        self.dropout = Dropout(sizes.attention_dropout)
        self.tap = Tap()
        for weight in (self.weight, self.edge_weight):  # Glorot, of the matrix for all heads
            bound = (6 / (heads * output + weight.shape[-1])) ** 0.5
            nn.init.uniform_(weight, -bound, bound)
        for vector in (self.to_source, self.to_target, self.to_edge):
            nn.init.xavier_uniform_(vector)

    def forward(self, nodes: Tensor, edges: Tensor, graphs: Graphs, instruction: Tensor | None) -> Tensor:
        """(N, F), edges' features (rows, F'), (B, F'') -> (N, D)."""
        alpha = graphs.softmax(self.scores(nodes, edges, graphs, instruction))  # (E, H)
        if self.tap.seen is not None:
            self.tap(graphs.dense(alpha).transpose(1, 2))  # (B, H, N, N)
        alpha = self.dropout(alpha)
        taken = graphs.gather(graphs.dense(alpha), nodes)  # (N, H, F)
        heads = self.weight.shape[0]
        matrix = self.weight[..., : self.nodes].transpose(0, 1).flatten(1) / heads  # (D, H F)
        hidden = nn.functional.linear(taken.flatten(1), matrix, self.bias)
        return hidden if instruction is None else hidden + self._instructed(alpha, graphs, instruction)

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

    def _instructed(self, alpha: Tensor, graphs: Graphs, instruction: Tensor) -> Tensor:
        """(E, H), (B, F'') -> (N, D): the instruction's part of what each node takes.

        Weights that sum to 1 take the instruction as it is; after dropout they do not.
        """
        weight = self.weight[..., self.nodes :]
        if not (self.training and self.dropout.p):
            reached = (graphs.degrees > 0).to(alpha.dtype)[:, None]
            return reached * nn.functional.linear(instruction, weight.mean(0))[graphs.node_graph]
        given = torch.einsum("bf,hof->bho", instruction, weight) / len(weight)
        return graphs.flat(graphs.padded(graphs.total(alpha)) @ given)  # (B, N, H) @ (B, H, D)


Layer = GraphAttention
