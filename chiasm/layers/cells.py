"""Recurrent cells whose products take the matrix kernel in use; the same numbers as torch's.

A decoder calls a cell once for every word, with few rows: keeping the weights in the kernel's own layout (see
`layers.linear`) is what makes that fast on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from chiasm.layers.linear import Linear


class LSTMCell(nn.Module):
    """i, f, o = sigmoid(...), g = tanh(...) of W x + U h + b;  c' = f c + i g,  h' = o tanh(c').

    Gates are in torch's order (i, f, g, o), and so are the initial weights: uniform in +-1 / sqrt(hidden_size).

    `earlier` are further inputs, x = [x; e_0; e_1; ...], of which it is known before the step what they add to the
    gates: `before(n, e_n)`. A picture adds the same at every word, and all words of a sentence, or the different ones
    of many beams, are multiplied at once.
    """

    def __init__(self, input_size: int, hidden_size: int, earlier: Sequence[int] = ()) -> None:
        super().__init__()
        self.input = Linear(input_size, 4 * hidden_size)
        self.earlier = nn.ModuleList(Linear(size, 4 * hidden_size, bias=False) for size in earlier)
        self.hidden = Linear(hidden_size, 4 * hidden_size)
        _initialise(self, hidden_size)

    def before(self, number: int, x: Tensor) -> Tensor:
        """(..., F_n) -> (..., 4 D): what the earlier input `number` adds to the gates."""
        added: Tensor = self.earlier[number](x)
        return added

    def forward(self, x: Tensor, hidden: Tensor, memory: Tensor, *added: Tensor) -> tuple[Tensor, Tensor]:
        """(..., F), (..., D), (..., D), of `before` (..., 4 D) each -> the next hidden state and memory (..., D)."""
        i, f, g, o = sum(added, self.input(x) + self.hidden(hidden)).chunk(4, -1)
        memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(memory), memory


class GRUCell(nn.Module):
    """r, z = sigmoid(W x + U h + b);  n = tanh(W_n x + b + r (U_n h + b'));  h' = (1 - z) n + z h.

    Gates are in torch's order (r, z, n), initial weights as of `LSTMCell`.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input = Linear(input_size, 3 * hidden_size)
        self.hidden = Linear(hidden_size, 3 * hidden_size)
        _initialise(self, hidden_size)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """(..., F), (..., D) -> the next hidden state (..., D)."""
        of_input, of_hidden = self.input(x).chunk(3, -1), self.hidden(hidden).chunk(3, -1)
        r, z = torch.sigmoid(of_input[0] + of_hidden[0]), torch.sigmoid(of_input[1] + of_hidden[1])
        n = torch.tanh(of_input[2] + r * of_hidden[2])
        return n + z * (hidden - n)


def _initialise(cell: nn.Module, hidden_size: int) -> None:
    bound = hidden_size**-0.5
    for parameter in cell.parameters():
        nn.init.uniform_(parameter, -bound, bound)
