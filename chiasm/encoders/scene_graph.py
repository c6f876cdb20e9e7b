"""Scene graphs -> vectors of nodes and edges (GraphVQA, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.batch import SceneGraph
from chiasm.data.scene_graph import FIRST, UNKNOWN
from chiasm.layers.graphs import GraphNorm, Graphs, graphs_of


class GraphWords(nn.Module):
    """Each node the sum of the vectors of its name and attributes, each edge its relation's vector.

    An edge that was added to run against a relation has the relation's vector negated (appendix C.1).

    # Differs: the vector of what is unknown begins as zero. No training graph has an unknown word, so that a drawn one
    would stay as drawn, and move the answer at random.
    """

    def __init__(self, vocab_size: int, word_size: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, word_size, padding_idx=0)
        with torch.no_grad():  # after the draw, which stays the same for all other words
            self.words.weight[FIRST.index(UNKNOWN)].zero_()

    def forward(self, stream: SceneGraph) -> tuple[Tensor, Tensor, Graphs]:
        """SceneGraph (I, N, T), (I, E, T) -> nodes (N, D), edges (E, D) of all distinct graphs, and the graphs."""
        graphs, real = graphs_of(stream)
        nodes = self.words(stream.node_ids[stream.node_mask]).sum(1)
        edges = self.words(stream.edge_ids[real]).sum(1)
        if stream.edge_reversed is not None:
            edges = torch.where(stream.edge_reversed[real][:, None], -edges, edges)
        return nodes, edges, graphs


class GraphEncoder(nn.Module):
    """x_i = relu(mean over j in N_i of W [xhat_j ; e_ij]), edges as they are (equation 4).

    The mean is taken before W, which is the same and does the product once for a node instead of once for an edge.
    """

    def __init__(self, word_size: int, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * word_size, hidden_size, bias=False)
        self.edge_size = word_size

    def forward(self, nodes: Tensor, edges: Tensor, graphs: Graphs) -> tuple[Tensor, Tensor]:
        """(N, F), (E, F) -> (N, D), (E, F)."""
        around = torch.cat([graphs.mean(nodes[graphs.source]), graphs.mean(edges)], 1)
        return torch.relu(self.linear(around)), edges


class TwoLayers(nn.Module):
    """W_2 relu(W_1 x + b_1) + b_2, with x given in parts."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def parts(self, *inputs: Tensor) -> list[Tensor]:
        """What W_1 makes of each part of its input: their sum and b_1 go into `finish`."""
        weights = self.first.weight.split([x.shape[1] for x in inputs], 1)
        return [nn.functional.linear(x, weight) for x, weight in zip(inputs, weights, strict=True)]

    def hidden(self, total: Tensor) -> Tensor:
        """The sum of the parts -> relu(W_1 x + b_1)."""
        return torch.relu(total + self.first.bias)


class ReleasedGraphEncoder(nn.Module):
    """The released code's block in place of equation 4.

        e'_ij = MLP([xhat_i ; xhat_j ; e_ij])    m_j = mean over i of MLP([xhat_i ; e'_ij])    x_j = MLP([xhat_j ; m_j])

    then a norm over each graph (i the source, j the target of an edge; each MLP has two layers). Products that read
    nodes are done once for a node, and a second layer comes after the mean that follows it: the same numbers.
    """

    def __init__(self, word_size: int, hidden_size: int) -> None:
        super().__init__()
        self.edge = TwoLayers(3 * word_size, hidden_size)
        self.message = TwoLayers(word_size + hidden_size, hidden_size)
        self.node = TwoLayers(word_size + hidden_size, hidden_size)
        self.norm = GraphNorm()
        self.edge_size = hidden_size

    def forward(self, nodes: Tensor, edges: Tensor, graphs: Graphs) -> tuple[Tensor, Tensor]:
        """(N, F), (E, F) -> (N, D), (E, D)."""
        source, target, own = self.edge.parts(nodes, nodes, edges)
        edges = self.edge.second(self.edge.hidden(source[graphs.source] + target[graphs.target] + own))
        sent, along = self.message.parts(nodes, edges)
        around = graphs.mean(self.message.hidden(sent[graphs.source] + along))
        reached = (graphs.degrees > 0).to(around.dtype)[:, None]
        messages = self.message.second(around) * reached  # where nothing arrives the mean is zero, not a bias
        kept, taken = self.node.parts(nodes, messages)
        return self.norm(self.node.second(self.node.hidden(kept + taken)), graphs), edges


def graph_encoder(word_size: int, hidden_size: int, *, released: bool) -> GraphEncoder | ReleasedGraphEncoder:
    """Equation 4, or the released code's block."""
    return (ReleasedGraphEncoder if released else GraphEncoder)(word_size, hidden_size)
