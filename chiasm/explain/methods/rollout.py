"""Attention rollout: attention multiplied through the layers, half of each position staying itself.

    held <- (held_q + mean_h A held_k) / 2        (Abnar & Zuidema 2020, section 4; here also across streams)

It looks at attention alone, so it is the same for every answer. In a cross-attention both directions read what was
held before it.
"""

from __future__ import annotations

from torch import Tensor

from chiasm.explain.evidence import attention_steps
from chiasm.explain.probe import Probe
from chiasm.explain.propagation import at_answer, joins_up, propagate

TITLE = "attention rollout"


def attribute(probe: Probe) -> dict[str, Tensor]:
    """Stream -> (rows, K); all streams together sum to 1 in each view.

    Empty for a model without attention that joins up from layer to layer.
    """
    _, steps = attention_steps(probe.model, probe.batch)
    if not joins_up(steps):
        return {}
    matrices = [step.weights.detach().mean(1) for step in steps]
    return at_answer(propagate(steps, matrices, lambda held, given: (held + given) / 2), steps)
