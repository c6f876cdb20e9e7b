"""Integrated gradients: the gradient averaged on the straight way from nothing to the input, times the input.

    relevance_k = sum_f x_kf * integral_0^1 d score(a x) / d x_kf da        (Sundararajan et al. 2017, equation 1)

"Nothing" is a zero word vector and a zero region vector, positions and boxes unchanged. Words and regions travel
together, so that all relevances add up to score(input) - score(nothing) (completeness, their proposition 1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from chiasm.explain.inputs import gradients, scaled_forward
from chiasm.explain.probe import Probe, answering, repeat

TITLE = "integrated gradients"
STEPS = 32  # midpoints of the way; Sundararajan et al. find 20 to 300 enough
CHUNK = 16  # midpoints in one forward pass


def attribute(probe: Probe, steps: int = STEPS) -> dict[str, Tensor]:
    """Stream -> (rows, K), signed: what speaks against the answer is negative."""
    total: dict[str, Tensor] = {}
    midpoints = (torch.arange(steps) + 0.5) / steps
    with answering(probe.model):
        for scale in midpoints.split(CHUNK):
            output, inputs = scaled_forward(probe.model, repeat(probe.batch, len(scale)), scale)
            for name, gradient in gradients(probe.score(output), inputs).items():
                # The gradient by the unscaled input holds the factor a; dividing leaves d score / d (a x).
                share = (inputs[name].detach() * gradient).sum(-1).unflatten(0, (len(scale), -1))  # (a, rows, K)
                share = (share / scale[:, None, None].to(share)).sum(0) / steps
                total[name] = total[name] + share if name in total else share
    return total
