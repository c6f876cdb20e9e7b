"""Gradient times input: the first-order share of each word vector and region vector in the score.

relevance_k = sum_f x_kf * d score / d x_kf        (Shrikumar et al. 2016, "Not just a black box")
"""

from __future__ import annotations

import torch
from torch import Tensor

from chiasm.explain.inputs import gradients, scaled_forward
from chiasm.explain.probe import Probe, answering

TITLE = "gradient × input"


def attribute(probe: Probe) -> dict[str, Tensor]:
    """Stream -> (rows, K), signed: what speaks against the answer is negative."""
    with answering(probe.model):
        output, inputs = scaled_forward(probe.model, probe.batch, torch.ones(1))
        found = gradients(probe.score(output), inputs)
    return {name: (inputs[name].detach() * gradient).sum(-1) for name, gradient in found.items()}
