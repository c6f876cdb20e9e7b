"""One iteration of a language-conditioned graph network (Hu et al., ICCV 2019; GraphVQA, appendix B.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.layers.graphs import Graphs
from chiasm.layers.recording import Tap


class ContextStep(nn.Module):
    """What nodes know of their surroundings, after one more round of messages; the same weights in every round.

        x~_i   = [x_loc ; x_ctx ; (W_1 x_loc) * (W_2 x_ctx)]_i                                 (12)
        w_ij   = softmax over sources j of (W_3 x~_i) . ((W_4 x~_j) * (W_5 c))                  (13)
        m_ij   = w_ij ((W_6 x~_j) * (W_7 c))                                                    (14)
        x_ctx' = W_8 [x_ctx ; sum over j of m_ij]                                               (15)

    # Differs: the released code passes the score through a LeakyReLU (`negative_slope` 0.2; 1 is none), the original
    of Hu et al. divides it by sqrt(D).
    """

    def __init__(self, size: int, context_size: int, *, negative_slope: float = 1.0) -> None:
        super().__init__()
        self.local, self.context = _matrix(size, size), _matrix(size, size)  # W_1, W_2
        self.query, self.key = _matrix(3 * size, size), _matrix(3 * size, size)  # W_3, W_4
        self.key_gate = _matrix(context_size, size)  # W_5
        self.value, self.value_gate = _matrix(3 * size, size), _matrix(context_size, size)  # W_6, W_7
        self.update = _matrix(2 * size, size)  # W_8
        self.negative_slope = negative_slope

    def forward(self, local: Tensor, context: Tensor, command: Tensor, graphs: Graphs, tap: Tap) -> Tensor:
        """x_loc (N, D), x_ctx (N, D), c (B, D') -> x_ctx' (N, D). The tap sees w (B, 1, N, N), rows are targets."""
        joined = torch.cat([local, context, self.local(local) * self.context(context)], 1)  # (N, 3 D)
        key = self.key(joined) * self.key_gate(command)[graphs.node_graph]
        scores = (self.query(joined)[graphs.target] * key[graphs.source]).sum(1, keepdim=True)  # (E, 1)
        weights = graphs.softmax(nn.functional.leaky_relu(scores, self.negative_slope))
        dense = graphs.dense(weights)
        tap(dense.transpose(1, 2))
        value = self.value(joined) * self.value_gate(command)[graphs.node_graph]
        return self.update(torch.cat([context, graphs.gather(dense, value)[:, 0]], 1))


def _matrix(input_size: int, output_size: int) -> nn.Linear:
    return nn.Linear(input_size, output_size, bias=False)
