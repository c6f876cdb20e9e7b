"""Relevance between two sets of entities, and between their pairs: what CMR classifies from (Zheng et al., ACL 2020).

    A = S_a S_b^T  ->  CNN  ->  relevance of entities (section 3.3)
    r_ij = MLP_1([s_i; s_j]),  W_ij = softmax(MLP_2(r))_ij * v_i v_j,  v_i = max_k A_ik
    the K pairs of highest W of either side  ->  R_a R_b^T  ->  CNN  ->  relevance of relations (section 3.4)

Pairs are enumerated once (i < j), and MLP_1's first layer is applied to entities before they are paired, since
W [s_i; s_j] = W' s_i + W'' s_j: no tensor over all i and j of twice the width is ever made. Only the K chosen pairs go
through the rest of MLP_1; for scores its last layer and MLP_2's first are one, as nothing lies between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chiasm.layers.linear import Linear
from chiasm.layers.recording import Tap

Affinity = Callable[[Tensor, Tensor], Tensor]
AffinityKind = Literal["dot", "dot_scaled", "cosine"]
Gate = Literal["none", "score", "straight_through"]

AT_ONCE = 4096  # pairs whose scores are computed together where no gradient is wanted: what a cache holds


def dot(a: Tensor, b: Tensor) -> Tensor:
    """(B, Q, D), (B, K, D) -> (B, Q, K): inner products, as the paper prints."""
    return a @ b.transpose(1, 2)


def dot_scaled(a: Tensor, b: Tensor) -> Tensor:
    """(B, Q, D), (B, K, D) -> (B, Q, K): inner products divided by sqrt(D)."""
    return dot(a, b) / a.shape[-1] ** 0.5


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """(B, Q, D), (B, K, D) -> (B, Q, K): cosines, as the released code computes."""
    return dot(F.normalize(a, dim=-1, eps=1e-12), F.normalize(b, dim=-1, eps=1e-12))


AFFINITIES: dict[str, Affinity] = {"dot": dot, "dot_scaled": dot_scaled, "cosine": cosine}


class AffinityCnn(nn.Module):
    """A matrix of affinities -> one vector: convolutions of 3 x 3, each with ReLU and max-pooling by 2, then linear.

    No padding; halves are rounded down: 20 x 36 with 16 and 32 channels ends as 32 x 3 x 7.
    """

    def __init__(self, rows: int, columns: int, channels: Sequence[int], output_size: int) -> None:
        super().__init__()
        sizes = [1, *channels]
        self.convolutions = nn.ModuleList(nn.Conv2d(before, after, 3) for before, after in pairwise(sizes))
        height, width = rows, columns
        for _ in channels:
            height, width = (height - 2) // 2, (width - 2) // 2
        if height < 1 or width < 1:
            raise ValueError(f"{len(channels)} convolutions leave nothing of {rows} x {columns} affinities")
        self.output = Linear(sizes[-1] * height * width, output_size)

    def forward(self, affinity: Tensor) -> Tensor:
        """(B, Q, K) -> (B, D)."""
        x = affinity[:, None]
        for convolution in self.convolutions:
            x = F.max_pool2d(F.relu(convolution(x)), 2)
        return F.relu(self.output(x.flatten(1)))


def paired(layer: Linear, entities: Tensor, pairs: Tensor) -> Tensor:
    """(B, N, D), (2, P) -> (B, P, E): relu of a layer on [s_i; s_j] of every pair, applied before pairing."""
    size = entities.shape[-1]
    left = F.linear(entities, layer.weight[:, :size], layer.bias)  # (B, N, E)
    right = F.linear(entities, layer.weight[:, size:])
    if torch.is_grad_enabled():
        return F.relu(left[:, pairs[0]] + right[:, pairs[1]])
    return left[:, pairs[0]].add_(right[:, pairs[1]]).relu_()


class Relations(nn.Module):
    """The pairs of one modality's entities: their vectors, and which of them matter most beside another modality.

    `gate`: what lets MLP_2 learn, since choosing has no gradient. "none": nothing (the paper, literally, and the code);
    "score": a chosen vector is multiplied by its score relative to the highest; "straight_through": by 1 with the
    gradient of its score.
    """

    pairs: Tensor

    def __init__(self, hidden_size: int, num_entities: int, *, top_k: int, gate: Gate = "none") -> None:
        super().__init__()
        if num_entities * (num_entities - 1) // 2 < top_k:
            raise ValueError(f"{num_entities} entities have fewer than top_k = {top_k} pairs")
        self.top_k, self.gate = top_k, gate
        self.first = Linear(2 * hidden_size, 2 * hidden_size)  # of MLP_1, on [s_i; s_j]
        self.second = Linear(2 * hidden_size, hidden_size)
        last = nn.Linear(hidden_size // 2, 1, bias=False)  # a bias would cancel in the softmax over pairs
        self.score = nn.Sequential(Linear(hidden_size, hidden_size // 2), nn.ReLU(), last)
        pairs = torch.triu_indices(num_entities, num_entities, 1)
        self.register_buffer("pairs", pairs, persistent=False)  # (2, P), i < j
        self.tap = Tap()

    def forward(
        self, entities: Tensor, importance: Tensor, mask: Tensor | None, scores: Tensor | None = None
    ) -> Tensor:
        """Entities (B, N, D), their importance (B, N), mask (B, N) -> the best pairs (B, K, D), best first.

        `scores` (B, P) are those of the same entities, where they are known already.
        """
        i, j = self.pairs
        real = self._real(mask)
        scores = self.scores(entities, mask) if scores is None else scores
        ranking = scores * importance[:, i] * importance[:, j]  # (B, P)
        if real is not None:
            ranking = ranking.masked_fill(~real, torch.finfo(scores.dtype).min)
        self.tap(self._square(ranking if real is None else ranking * real, entities.shape[1]))
        best, places = ranking.topk(self.top_k, dim=-1, sorted=True)
        chosen = self.vectors(entities, i[places], j[places])
        if real is not None:  # with fewer real pairs than K the rest is zero
            chosen = chosen * real.gather(1, places)[..., None]
        return chosen * self._gates(best)[..., None]

    def vectors(self, entities: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(B, N, D), (B, K), (B, K) -> (B, K, D): r of the given pairs."""
        rows = torch.arange(len(entities), device=entities.device)[:, None]
        return self.second(F.relu(self.first(torch.cat([entities[rows, i], entities[rows, j]], -1))))

    def scores(self, entities: Tensor, mask: Tensor | None) -> Tensor:
        """(B, N, D), (B, N) -> (B, P): U, a softmax over the real pairs. Without a gate it takes no gradient."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.gate != "none"):
            rows = len(entities) if torch.is_grad_enabled() else max(1, AT_ONCE // self.pairs.shape[1])
            read = self._reader(len(entities) * self.pairs.shape[1])
            found = torch.cat([read(paired(self.first, part, self.pairs)) for part in entities.split(rows)])[..., 0]
            real = self._real(mask)
            if real is not None:
                found = found.masked_fill(~real, torch.finfo(found.dtype).min)
            return found.softmax(-1)

    def _real(self, mask: Tensor | None) -> Tensor | None:
        """(B, N) -> (B, P): whether both of a pair are there."""
        return None if mask is None else mask[:, self.pairs[0]] & mask[:, self.pairs[1]]

    def _reader(self, pairs: int) -> Callable[[Tensor], Tensor]:
        """What makes (..., 2D) into scores (..., 1): MLP_1's last layer and MLP_2.

        Both linear layers as one cost 2 D^3 operations to join, and save 3 D^2 for each pair.
        """
        inner, relu, last = self.score
        assert isinstance(inner, Linear)
        if 3 * pairs < 2 * self.second.out_features:
            return lambda x: self.score(self.second(x))
        weight = inner.weight @ self.second.weight
        bias = inner.weight @ self.second.bias + inner.bias
        return lambda x: last(relu(F.linear(x, weight, bias)))

    def _gates(self, best: Tensor) -> Tensor:
        """(B, K) what each chosen vector is multiplied by."""
        if self.gate == "none":
            return torch.ones_like(best)
        known = best.clamp(min=0)
        if self.gate == "score":
            return known / known[:, :1].clamp(min=1e-12)
        return 1 + known - known.detach()

    def _square(self, values: Tensor, entities: int) -> Tensor:
        """(B, P) -> (B, 1, N, N): on the upper triangle."""
        square = values.new_zeros(len(values), entities, entities)
        square[:, self.pairs[0], self.pairs[1]] = values
        return square[:, None]


class Match(nn.Module):
    """The relevance of one kind of two modalities: of their entities, and of their relations.

    `entity_channels`, `relation_channels`: of the convolutions over either's affinities; None: there is no such
    relevance, and the affinities of entities still rank the relations.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        hidden_size: int,
        *,
        affinity: Affinity,
        entity_channels: Sequence[int] | None,
        relation_channels: Sequence[int] | None,
        top_k: int,
    ) -> None:
        super().__init__()
        self.affinity = affinity
        self.tap = Tap()
        self.entities = None if entity_channels is None else AffinityCnn(rows, columns, entity_channels, hidden_size)
        self.relations = (
            None if relation_channels is None else AffinityCnn(top_k, top_k, relation_channels, hidden_size)
        )

    def forward(
        self,
        a: Tensor,
        b: Tensor,
        masks: tuple[Tensor, Tensor] | None,
        pairs: tuple[Relations, Relations],
        scores: tuple[Tensor | None, Tensor | None] = (None, None),
    ) -> list[Tensor]:
        """Entities (B, N, D), (B, M, D), masks (B, N), (B, M) -> relevances (B, D), of entities, of relations.

        `scores` are those of either side's pairs, where they are known already.
        """
        found = []
        affinity = self.affinity(a, b)  # (B, N, M)
        both = None if masks is None else masks[0][:, :, None] & masks[1][:, None, :]
        shown = affinity if both is None else affinity * both
        self.tap(shown[:, None])
        if self.entities is not None:
            found.append(self.entities(shown))
        if self.relations is not None:
            ranked = affinity if both is None else affinity.masked_fill(~both, torch.finfo(affinity.dtype).min)
            first, second = masks if masks is not None else (None, None)
            best_a = pairs[0](a, _importance(ranked.amax(2), first), first, scores[0])
            best_b = pairs[1](b, _importance(ranked.amax(1), second), second, scores[1])
            found.append(self.relations(self.affinity(best_a, best_b)))
        return found


def _importance(best: Tensor, mask: Tensor | None) -> Tensor:
    """(B, N) the highest affinity of each entity; 0 for one that is not there."""
    return best if mask is None else best.masked_fill(~mask, 0.0)
