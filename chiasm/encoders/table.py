"""Table rows -> vectors: numbers as they are, categories as indicators."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class CategoryIndicators(nn.Module):
    """One-hot vectors of all category columns, side by side; class 0, unknown, is all zeros.

    With `binary` a column of two classes becomes one entry, 1 for the second class (scikit-learn's LabelBinarizer),
    so that unknown looks like the first class. `sizes` are the numbers of known classes.
    """

    column: Tensor
    code: Tensor

    def __init__(self, sizes: Sequence[int], *, binary: bool = False) -> None:
        super().__init__()
        entries = [
            (column, code)
            for column, size in enumerate(sizes)
            for code in ([2] if binary and size <= 2 else range(1, size + 1))
        ]
        pairs = torch.tensor(entries, dtype=torch.int64).reshape(-1, 2)
        self.register_buffer("column", pairs[:, 0].contiguous(), persistent=False)
        self.register_buffer("code", pairs[:, 1].contiguous(), persistent=False)
        self.output_size = len(entries)

    def forward(self, categories: Tensor) -> Tensor:
        """(B, C') int64 -> (B, `output_size`) float."""
        return (categories[:, self.column] == self.code).to(torch.get_default_dtype())
