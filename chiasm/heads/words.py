"""Which word comes next: the last layer of a decoder, trained, tied to the input embedding, or drawn and fixed.

    logits = W f + b,   W (V, D), one row for each word: its target vector

Fixed target vectors (sheet `fixed_targets`) are never trained and never stored: the seed gives them again, the same on
every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from chiasm.data.draws import below, uniform
from chiasm.layers.linear import Linear

Draw = Literal["uniform", "sparse", "hadamard"]


@dataclass(frozen=True)
class WordOptions:
    """What the configurations of all writing models hold: their words, the last layer, and how sentences are searched.

    `decoding` "beam": `beam_size` beams in `groups` (more than 1: diverse beam search); "nucleus": `beam_size` samples.
    """

    num_words: int = 9490  # the four special ones included
    targets: Literal["trained", "tied", "fixed"] = "trained"
    target_draw: Draw = "uniform"
    target_scale: float = 10.0  # cells are in [-scale, scale]
    target_normalised: bool = False  # rows divided by their norm
    target_seed: int = 0
    fix_bias: bool = False  # the bias stays 0 with fixed targets
    decoding: Literal["beam", "nucleus"] = "beam"
    beam_size: int = 5
    groups: int = 1
    diversity: float = 0.5
    length_penalty: float = 0.0
    max_words: int = 20  # of a generated sentence, its end counted
    min_words: int = 0
    block_repeats: int = 0  # no run of so many words occurs twice; 0: any may
    say_unknown: bool = False  # whether the unknown word may be written
    top_p: float = 0.9
    temperature: float = 1.0
    sampling_seed: int = 0


class FixedTargets(nn.Module):
    """W drawn from a seed; b is learnt, or fixed at 0. Gradients go through W to f."""

    weight: Tensor

    def __init__(self, weight: Tensor, *, fix_bias: bool = False) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.bias = None if fix_bias else nn.Parameter(torch.zeros(weight.shape[0]))

    def forward(self, features: Tensor) -> Tensor:
        """(..., D) -> (..., V)."""
        return F.linear(features, self.weight, self.bias)


class TiedTargets(nn.Module):
    """W is the table of input embeddings (Press and Wolf 2017); b is its own."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.weight = embedding.weight
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))

    def forward(self, features: Tensor) -> Tensor:
        """(..., D) -> (..., V)."""
        return F.linear(features, self.weight, self.bias)


def word_targets(options: WordOptions, size: int, embedding: nn.Embedding) -> nn.Module:
    """The last layer that the options ask for, of features of `size`. Raises ValueError when it cannot be made."""
    if options.targets == "tied":
        if embedding.embedding_dim != size:
            raise ValueError(
                f"targets = 'tied' needs features as wide as the word vectors: {size} are not {embedding.embedding_dim}"
            )
        return TiedTargets(embedding)
    if options.targets == "trained":
        return Linear(size, options.num_words)
    if options.targets != "fixed":
        raise ValueError(f"targets is {options.targets!r}: 'trained', 'tied' or 'fixed' is expected")
    drawn = draw_targets(
        options.num_words,
        size,
        draw=options.target_draw,
        scale=options.target_scale,
        normalised=options.target_normalised,
        seed=options.target_seed,
    )
    return FixedTargets(drawn, fix_bias=options.fix_bias)


def draw_targets(
    num_words: int, size: int, *, draw: Draw = "uniform", scale: float = 10.0, normalised: bool = False, seed: int = 0
) -> Tensor:
    """(V, D) target vectors, the same for the same arguments on every machine and in every version.

    - "uniform": every cell uniform in [-scale, scale]
    - "sparse": as uniform, in about one of 16 cells, at least one of each row; 0 elsewhere
    - "hadamard": +-scale, blocks of a Hadamard matrix with drawn rows, columns and signs: if D is a power of two, the
      first D rows are orthogonal to each other, so are the next D, ...; rows of two blocks are as two drawn ones
      (cosines of deviation D^-1/2). If not, the matrix of the next power of two n loses n - D columns, and the n rows
      of a block are only nearly orthogonal: the mean square of their cosines is (n - D) / (D (n - 1)), not 1 / D

    Raises ValueError for a scale that is not above 0 and for an unknown draw.
    """
    if draw not in get_args(Draw):
        raise ValueError(f"target_draw is {draw!r}: one of {', '.join(get_args(Draw))} is expected")
    if scale <= 0:
        raise ValueError(f"target_scale is {scale}: it must be above 0")
    rows, columns = np.arange(num_words)[:, None], np.arange(size)
    if draw == "hadamard":
        cells = _hadamard(num_words, size, seed) * scale
    else:
        cells = (2 * uniform("target vectors", seed, rows, columns) - 1) * scale
    if draw == "sparse":
        kept = uniform("cells kept", seed, rows, columns) < 1 / 16
        kept[rows[:, 0], below(size, "one cell kept", seed, rows[:, 0])] = True
        cells = cells * kept
    if normalised:
        cells = cells / np.linalg.norm(cells, axis=1, keepdims=True)
    return torch.tensor(cells, dtype=torch.float32, device="cpu")


def _hadamard(num_words: int, size: int, seed: int) -> NDArray[np.float64]:
    """Blocks H diag(signs) of Sylvester's matrix, H_ij = (-1)^(bits that i and j share), with rows in a drawn order."""
    order = 1 << math.ceil(math.log2(size))
    columns = np.argsort(uniform("columns", seed, np.arange(order)))[:size]
    shared: NDArray[Any] = np.arange(order)[:, None] & columns
    shift = 1
    while shift < order:
        shared = shared ^ (shared >> shift)
        shift *= 2
    matrix = 1.0 - 2.0 * (shared & 1).astype(np.float64)
    blocks = np.arange(math.ceil(num_words / order))[:, None]
    rows = np.argsort(uniform("rows", seed, blocks, np.arange(order)), axis=1)
    signs = np.where(uniform("signs", seed, blocks, columns) < 0.5, -1.0, 1.0)
    cells: NDArray[np.float64] = (matrix[rows] * signs[:, None]).reshape(-1, size)
    return cells[:num_words]
