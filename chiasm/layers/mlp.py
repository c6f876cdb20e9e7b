"""A multi-layer perceptron whose layers shrink by a fixed divisor (Multimodal-Toolkit, sheet `text_tabular`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from chiasm.layers.batch_norm import BatchNorm


def shrinking_sizes(input_size: int, output_size: int, *, division: int = 4) -> list[int]:
    """The hidden sizes of a perceptron: the input size divided again and again, as long as it exceeds the output.

    The last quotient, at or below the output size, is left out: (768, 2) -> [192, 48, 12, 3], (10, 2) -> [].
    """
    if division < 2:
        raise ValueError(f"division is {division}: sizes shrink only when it is at least 2")
    sizes, size = [], input_size
    while size > output_size:
        size //= division
        sizes.append(size)
    return sizes[:-1]


class Mlp(nn.Module):
    """Linear, batch normalisation, ReLU, dropout for each hidden size; the last layer is linear only.

    Weights are Xavier-uniform with the gain of what follows them, biases torch's default, as released.
    """

    def __init__(
        self,
        input_size: int,
        hidden_sizes: Sequence[int],
        output_size: int,
        *,
        batch_norm: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        sizes = [input_size, *hidden_sizes]
        self.hidden = nn.Sequential()
        for before, after in pairwise(sizes):
            self.hidden.append(_linear(before, after, gain="relu"))
            if batch_norm:
                self.hidden.append(BatchNorm(after))
            self.hidden.append(nn.ReLU())
            self.hidden.append(nn.Dropout(dropout))
        self.output = _linear(sizes[-1], output_size, gain="linear")

    def forward(self, x: Tensor) -> Tensor:
        """(B, F) -> (B, D)."""
        return self.output(self.hidden(x))


def _linear(input_size: int, output_size: int, *, gain: str) -> nn.Linear:
    layer = nn.Linear(input_size, output_size)
    nn.init.xavier_uniform_(layer.weight, gain=nn.init.calculate_gain(gain))  # type: ignore[arg-type]
    return layer
