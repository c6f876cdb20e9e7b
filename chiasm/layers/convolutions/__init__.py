"""Message passing conditioned on an instruction: a file here is a convolution, found by its name.

Graphs of a batch lie one after another: N nodes and E edges in all. A message flows from an edge's source to its
target, so what a node takes in is grouped by target. Before every layer each node and edge gets its graph's instruction
beside it (GraphVQA, equations 5 and 6),

    hhat_i = [h_i ; i],    ehat_ij = [e_ij ; i],

and no layer ever builds these: what a matrix makes of the instruction is computed once for a graph, and added.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import torch
from torch import Tensor, nn

from chiasm.layers.graphs import Graphs
from chiasm.registry import find, names


@dataclass(frozen=True)
class Sizes:
    """What a convolution is built from: sizes of its inputs and output, and how it is made."""

    nodes: int  # of h_i
    edges: int  # of e_ij
    instruction: int  # of i; 0: the layer is not conditioned
    output: int
    num_heads: int = 4  # of an attention over neighbours
    attention_dropout: float = 0.1
    theta_layers: int = 1  # of GINE's expressive function: 1 or 2
    released: bool = False  # as the released code has it, where that is not the paper's formula


class Convolution(nn.Module, ABC):
    """h (N, D), e (edges, D'), i (B, D'') or None -> h' (N, D).

    One that weighs neighbours has a `tap`, which sees how much each node (row) takes from each: (B, H, N, N). `adds`
    says whether GraphVQA adds the state before the layer to what the layer gives.
    """

    adds: ClassVar[bool] = False

    @abstractmethod
    def forward(self, nodes: Tensor, edges: Tensor, graphs: Graphs, instruction: Tensor | None) -> Tensor: ...


class ConditionedLinear(nn.Module):
    """W [x ; i] + b, with W = [W_x, W_i]: the two parts apart, so that W_i i is computed once for a graph."""

    def __init__(self, size: int, instruction: int, output: int, *, bias: bool = True) -> None:
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(torch.empty(output, size + instruction))
        self.bias = nn.Parameter(torch.zeros(output)) if bias else None
        nn.init.xavier_uniform_(self.weight)

    def own(self, x: Tensor) -> Tensor:
        """(N, F) -> (N, D): W_x x."""
        return nn.functional.linear(x, self.weight[:, : self.size])

    def given(self, instruction: Tensor) -> Tensor:
        """(B, F') -> (B, D): W_i i."""
        return nn.functional.linear(instruction, self.weight[:, self.size :])

    def shift(self, x: Tensor) -> Tensor:
        """(N, D) -> (N, D): x + b."""
        return x if self.bias is None else x + self.bias


def convolution_names() -> list[str]:
    """All convolutions."""
    return names(__name__, __path__)


def convolution(name: str) -> ModuleType:
    """The file of the convolution `name`; an unknown one is an error with the nearest known name."""
    return find(__name__, __path__, name, what="graph convolution")
