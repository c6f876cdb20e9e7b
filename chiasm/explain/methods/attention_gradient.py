"""Attention times gradient: attention counted where more of it would raise the score.

    A' = mean_h max(A * d score / d A, 0),    held <- held_q + A' held_k

This is the rule of Chefer et al. (2021, equation 5 and 6) for attention within a stream, here also across streams.

# Differs: their rule for co-attention (equations 7 to 11) normalises self-attention relevance first; this one does not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chiasm.explain.evidence import attention_steps
from chiasm.explain.probe import Probe
from chiasm.explain.propagation import at_answer, joins_up, propagate

TITLE = "attention × gradient"


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
    return at_answer(propagate(steps, matrices, lambda held, given: held + given), steps)
