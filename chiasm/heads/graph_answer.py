"""Final states of a graph's nodes and a question -> scores of answers (GraphVQA, section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.layers.dropout import Dropout
from chiasm.layers.graphs import Graphs
from chiasm.layers.linear import Linear
from chiasm.layers.recording import Tap


class GraphPool(nn.Module):
    """g = sum over nodes of softmax(gate) u, with u = MLP(h), gate = MLP(MLP(q) * u); without a question MLP(u)."""

    def __init__(self, node_size: int, size: int, *, use_question: bool = True) -> None:
        super().__init__()
        self.node = _two_layers(node_size, size, size)
        self.question = _two_layers(size, size, size) if use_question else None
        # No bias of the gate: it would move all nodes alike, which a softmax does not see.
        self.gate = nn.Sequential(Linear(size, size), nn.ReLU(), nn.Linear(size, 1, bias=False))
        self.tap = Tap()  # how much each node counts: (B, 1, 1, N)

    def forward(self, nodes: Tensor, question: Tensor | None, graphs: Graphs) -> Tensor:
        """(N, F), (B, D) -> (B, D)."""
        u = self.node(nodes)
        read = u if self.question is None else u * self.question(question)[graphs.node_graph]
        pooled, weights = graphs.pool(self.gate(read), u)
        self.tap(weights[:, None, None])
        return pooled


class GraphAnswer(nn.Module):
    """W_2 elu(W_1 [g ; q ; g * q]), dropout before both; with only one of g and q, of that one."""

    def __init__(self, size: int, num_labels: int, *, parts: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        self.first, self.second = Linear(parts * size, size), Linear(size, num_labels)
        self.dropout = Dropout(dropout)

    def forward(self, graph: Tensor | None, question: Tensor | None) -> Tensor:
        """(B, D), (B, D), either may be None -> (B, A)."""
        known = [x for x in (graph, question) if x is not None]
        if len(known) == 2:
            known.append(known[0] * known[1])
        hidden = nn.functional.elu(self.first(self.dropout(torch.cat(known, 1))))
        return self.second(self.dropout(hidden))


def _two_layers(input_size: int, hidden_size: int, output_size: int) -> nn.Sequential:
    return nn.Sequential(Linear(input_size, hidden_size), nn.ReLU(), Linear(hidden_size, output_size))
