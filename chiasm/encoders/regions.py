"""Regions -> vectors, as LXMERT embeds objects."""

from __future__ import annotations

from torch import Tensor, nn

from chiasm.batch import Regions
from chiasm.layers.dropout import Dropout
from chiasm.layers.linear import Linear
from chiasm.layers.transformer import LAYER_NORM_EPS


class RegionEmbedding(nn.Module):
    """v = (LN(W_F f + b_F) + LN(W_P p + b_P)) / 2, dropout (LXMERT, equation 1).

    f are region features, p boxes as (x1, y1, x2, y2) in [0, 1]. It is the mean of two norms, not their sum.
    """

    def __init__(self, feature_size: int, hidden_size: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.features = Linear(feature_size, hidden_size)
        self.features_norm = nn.LayerNorm(hidden_size, eps=LAYER_NORM_EPS)
        self.boxes = Linear(4, hidden_size)
        self.boxes_norm = nn.LayerNorm(hidden_size, eps=LAYER_NORM_EPS)
        self.dropout = Dropout(dropout)

    def forward(self, regions: Regions) -> Tensor:
        """Regions (I, R, F) -> (I, R, D)."""
        features = self.features_norm(self.features(regions.features))
        boxes = self.boxes_norm(self.boxes(regions.boxes))
        return self.dropout((features + boxes) / 2)
