"""Relevance propagated through self-attention and co-attention (Chefer et al. 2021, section 3.1, equations 5 to 11).

    A' = mean_h max(A * d score / d A, 0)
    s looks at itself:   R_st <- R_st + A' R_st                     for every stream t
    s looks at q:        R_sq <- R_sq + N(R_ss)^T A' N(R_qq)        R_ss <- R_ss + A' R_qs
    N(R) = I + (R - I) / (row sums of R - I)

R_st (K_s, K_t) says how much each item of t counts in each item of s; R_ss begins as I and the others as 0. Both
directions of a cross-attention read the same old R. The answer is read at the first position of the text ([CLS]).

# Differs: where a row of R - I is zero, N leaves it out; the released code divides 0 by 0 there and then sets the whole
product to zero. What a stream that takes no part in a look holds of a third stream follows the rule of self-attention;
the paper has two streams.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from chiasm.explain.evidence import Step, attention_steps, simultaneous
from chiasm.explain.probe import Probe
from chiasm.explain.propagation import joins_up, stream_sizes

TITLE = "relevance propagation"

Relevance = dict[tuple[str, str], Tensor]  # (s, t) -> (views, K_s, K_t)


def attribute(probe: Probe) -> dict[str, Tensor]:
    """Stream -> (rows, K), never negative. Empty for a model without attention that joins up from layer to layer."""
    output, steps = attention_steps(probe.model, probe.batch)
    if not joins_up(steps):
        return {}
    weights = [step.weights for step in steps]
    found = torch.autograd.grad(probe.score(output).sum(), weights, allow_unused=True)
    matrices = [
        torch.zeros_like(w[:, 0]) if g is None else (w * g).clamp(min=0).mean(1).detach()
        for w, g in zip(weights, found, strict=True)
    ]
    held = propagate(steps, matrices)
    streams = list(stream_sizes(steps))
    reader = "text" if "text" in streams else streams[0]
    rows = {stream: held[reader, stream][:, 0] for stream in streams}  # (views, K)
    return {stream: row.mean(0, keepdim=True) if stream == reader else row for stream, row in rows.items()}


def propagate(steps: Sequence[Step], matrices: Sequence[Tensor]) -> Relevance:
    """The relevances after all steps; `matrices` holds one A' (views or 1, Q, K) for each step."""
    sizes = stream_sizes(steps)
    views = max(matrix.shape[0] for matrix in matrices)
    like = matrices[0]
    held: Relevance = {
        (s, t): (torch.eye(n, dtype=like.dtype, device=like.device) if s == t else like.new_zeros(n, m)).repeat(
            views, 1, 1
        )
        for s, n in sizes.items()
        for t, m in sizes.items()
    }
    matrix = {id(step): m for step, m in zip(steps, matrices, strict=True)}
    for group in simultaneous(list(steps)):
        gained: Relevance = {}
        for step in group:
            gained |= _gain(held, step.query, step.key, matrix[id(step)])
        held |= {pair: held[pair] + gain for pair, gain in gained.items()}
    return held


def normalised(relevance: Tensor) -> Tensor:
    """(..., K, K) -> the same: I + (R - I) / its row sums; rows without relevance but their own stay I."""
    identity = torch.eye(relevance.shape[-1], dtype=relevance.dtype, device=relevance.device)
    gained = relevance - identity
    total = gained.sum(-1, keepdim=True)
    return identity + torch.where(total > 0, gained / total.where(total > 0, torch.ones_like(total)), 0.0)


def _gain(held: Relevance, query: str, key: str, matrix: Tensor) -> Relevance:
    """What one look adds."""
    streams = {stream for stream, _ in held}
    if query == key:
        return {(query, stream): matrix @ held[query, stream] for stream in streams}
    crossing = normalised(held[query, query]).transpose(-1, -2) @ matrix @ normalised(held[key, key])
    others = {(query, stream): matrix @ held[key, stream] for stream in streams - {key}}
    return {**others, (query, key): crossing}
