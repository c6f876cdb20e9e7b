"""Images -> vectors by the vision transformer (Dosovitskiy et al. 2020), from this library's layers.

z_0 = [x_class; x_1 E; ...; x_P E] + E_pos
z'  = MSA(LN(z)) + z,    z = MLP(LN(z')) + z'        (12 times; normalised before, not after as in BERT)
y   = LN(z_L^0)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chiasm.batch import Images
from chiasm.layers.attention import Attention
from chiasm.layers.dropout import Dropout
from chiasm.layers.initialise import initialise
from chiasm.layers.linear import Linear
from chiasm.layers.recording import Tap, is_recording, keeps_grad, paused
from chiasm.layers.stack import Stack


class PatchEmbedding(nn.Module):
    """[x_class; x_1 E; ...; x_P E]: the class token, then each patch of the image, projected; row by row."""

    def __init__(self, image_size: int, patch_size: int, hidden_size: int, *, channels: int = 3) -> None:
        super().__init__()
        if patch_size < 1 or image_size % patch_size:
            raise ValueError(f"[images] size {image_size} is not a multiple of the patch size {patch_size}")
        self.image_size, self.patch_size = image_size, patch_size
        self.class_token = nn.Parameter(torch.zeros(hidden_size))
        self.projection = Linear(channels * patch_size * patch_size, hidden_size)

    def forward(self, pixels: Tensor) -> Tensor:
        """(I, C, height, width) -> (I, 1 + P, D). Raises ValueError for images of another size."""
        if pixels.shape[-2:] != (self.image_size, self.image_size):
            given = " x ".join(map(str, pixels.shape[-2:]))
            raise ValueError(f"images of {given} pixels for an encoder of {self.image_size}; set [images] size")
        side = self.patch_size
        cut = pixels.unflatten(3, (-1, side)).unflatten(2, (-1, side))  # (I, C, rows, side, columns, side)
        patches = cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)  # (I, P, C * side * side)
        projected = self.projection(patches)
        return torch.cat([self.class_token.to(projected.dtype).expand(len(pixels), 1, -1), projected], 1)


class PreNormLayer(nn.Module):
    """Equations 2 and 3 of the ViT-BERT paper: normalisation before each sub-layer, gelu in its exact form."""

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        intermediate_size: int,
        *,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        norm_eps: float = 1e-12,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden_size, eps=norm_eps)
        self.attention = Attention(hidden_size, num_heads, dropout=attention_dropout)
        self.mlp_norm = nn.LayerNorm(hidden_size, eps=norm_eps)
        self.up = Linear(hidden_size, intermediate_size)
        self.down = Linear(intermediate_size, hidden_size)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(I, P, D), (I, P) -> (I, P, D)."""
        return self._mlp(x + self.dropout(self.attention(self.attention_norm(x), mask)))

    def first(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(I, P, D), (I, P) -> (I, 1, D): what `forward` gives at position 0, without the other rows.

        While evidence is recorded the whole layer also runs for its taps, and the answer still takes this path, so
        that recording does not change it by a rounding; when the evidence needs gradients the whole layer is used.
        """
        if keeps_grad(self):
            return self(x, mask)[:, :1]
        if is_recording(self):
            self(x, mask)
            with paused(self):
                return self._first(x, mask)
        return self._first(x, mask)

    def _first(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self._mlp(x[:, :1] + self.dropout(self.attention.first(self.attention_norm(x), mask)))

    def _mlp(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.down(self.up.gelu(self.up.rounded(self.mlp_norm(x)))))


class VisionTransformer(nn.Module):
    """y_img, the class token after the last layer and the final normalisation (equations 1 to 4); no pooler.

    The last layer is computed at the class token only, since nothing else is read. ViT-B/16 has 85,798,656
    parameters at 224 pixels.
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        hidden_size: int,
        num_layers: int,
        num_heads: int,
        intermediate_size: int,
        *,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        norm_eps: float = 1e-12,
        initializer_range: float = 0.02,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_hidden_layers is {num_layers}; a vision transformer has at least 1")
        self.embedding = PatchEmbedding(image_size, patch_size, hidden_size)
        side = image_size // patch_size
        self.grid = (side, side)  # rows and columns of patches
        self.positions = nn.Parameter(torch.zeros(1 + side * side, hidden_size))
        self.dropout = Dropout(dropout)
        self.layers: Stack[PreNormLayer] = Stack(
            PreNormLayer(
                hidden_size,
                num_heads,
                intermediate_size,
                dropout=dropout,
                attention_dropout=attention_dropout,
                norm_eps=norm_eps,
            )
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(hidden_size, eps=norm_eps)
        self.output_size = hidden_size
        initialise(self, initializer_range)
        nn.init.normal_(self.positions, std=initializer_range)
        nn.init.normal_(self.embedding.class_token, std=initializer_range)

    @property
    def num_positions(self) -> int:
        """1 + P: the class token and the patches."""
        return self.positions.shape[0]

    def forward(self, images: Images) -> Tensor:
        """Images (I, C, height, width) -> (I, D)."""
        *layers, last = self.layers
        x = self._embedded(images)
        for layer in layers:
            x = layer(x, images.attention_mask)
        return self.norm(last.first(x, images.attention_mask))[:, 0]

    def states(self, images: Images) -> Tensor:
        """Images (I, C, height, width) -> (I, 1 + P, D): the class token and every patch, normalised."""
        x = self._embedded(images)
        for layer in self.layers:
            x = layer(x, images.attention_mask)
        return self.norm(x)

    def taps(self) -> list[Tap]:
        """Where attention can be recorded, in layer order."""
        return [layer.attention.tap for layer in self.layers]

    def _embedded(self, images: Images) -> Tensor:
        return self.dropout(self.embedding(images.pixel_values) + self.positions)


def resized_positions(positions: Tensor, side: int) -> Tensor:
    """(1 + P, D) -> (1 + side * side, D): bicubic over the grid of patches; the class token's stays."""
    old = round((positions.shape[0] - 1) ** 0.5)
    if old * old != positions.shape[0] - 1:
        raise ValueError(f"{positions.shape[0]} positions are no class token and a square grid of patches")
    if old == side:
        return positions
    grid = positions[1:].T.reshape(1, -1, old, old)
    resized = F.interpolate(grid.float(), (side, side), mode="bicubic", align_corners=False).to(positions.dtype)
    return torch.cat([positions[:1], resized[0].flatten(1).T])
