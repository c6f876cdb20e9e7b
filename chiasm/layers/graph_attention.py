"""Neighbours weighted by attention: what all such graph layers share, whatever scores the neighbours."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from chiasm.layers.convolutions import Convolution, Sizes
from chiasm.layers.dropout import Dropout
from chiasm.layers.graphs import Graphs
from chiasm.layers.recording import Tap


class AttentiveConvolution(Convolution):
    """h'_i = mean over heads of sum over j in N_i of alpha_ij W hhat_j, + b (GraphVQA, equation 9, before its sigma).

    alpha_ij = softmax over j of `scores`. Sums over neighbours are taken of h itself, before W, which then gives D
    numbers for a node and not H D.
    """

    adds: ClassVar[bool] = True

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        heads, output = sizes.num_heads, sizes.output
        self.nodes, self.edges = sizes.nodes, sizes.edges
        self.weight = nn.Parameter(torch.empty(heads, output, sizes.nodes + sizes.instruction))
        self.bias = nn.Parameter(torch.zeros(output))
        self.dropout = Dropout(sizes.attention_dropout)
        self.tap = Tap()
        glorot_of_heads(self.weight)

    @abstractmethod
    def scores(self, nodes: Tensor, edges: Tensor, graphs: Graphs, instruction: Tensor | None) -> Tensor:
        """(N, F), edges' features (rows, F'), (B, F'') -> (E, H)."""

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


def glorot_of_heads(weight: nn.Parameter) -> None:
    """(H, D, F): Glorot's uniform values, of the matrix for all heads together."""
    heads, output, size = weight.shape
    bound = (6 / (heads * output + size)) ** 0.5
    nn.init.uniform_(weight, -bound, bound)
