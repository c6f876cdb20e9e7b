"""m = x: the table is not read. The baseline, and the "unimodal" rows, whose columns are all in the text."""

from __future__ import annotations

from torch import Tensor

from chiasm.fusion.tabular import Combiner, Sizes


class Combine(Combiner):
    """m = x."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.output_size = sizes.text

    def forward(self, text: Tensor, categories: Tensor, numbers: Tensor) -> Tensor:
        """(B, D), (B, C'), (B, C) -> (B, D)."""
        return text
