"""Flow on the graph: how much of what the answer reads began at each node of the scene graph.

relevance = p_0 of `chiasm.explain.graph_path`: the answer's weights over nodes, carried back through the attention of
every step.
"""

from __future__ import annotations

from torch import Tensor

from chiasm.explain.evidence import observe
from chiasm.explain.probe import Probe

TITLE = "flow on the graph"


def attribute(probe: Probe) -> dict[str, Tensor]:
    """{"scene_graph": (rows, N)}, never negative; empty for a model without attention between nodes."""
    if not any(evidence.key == "scene_graph" for evidence in probe.model.evidence()):
        return {}
    _, maps = observe(probe.model, probe.batch)
    between = [m for m in maps if m.evidence.kind == "relation" and m.evidence.query == "scene_graph"]
    gates = [m for m in maps if m.evidence.kind == "gate" and m.evidence.key == "scene_graph"]
    if not between or not gates:
        return {}
    held = gates[0].layers[0][:, 0]  # (B, 1, N)
    for attention in reversed(between[0].mean_over_heads()):
        held = (held + held @ attention) / 2
    return {"scene_graph": held[:, 0]}
