"""Leave one out: how much the answer's score falls when one item is hidden and everything else stays.

relevance_k = score - score without item k        (Zeiler and Fergus 2014, "occlusion")

It works for every model and for table columns, which have no gradient of their own; of two items that say the same,
neither is called relevant.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chiasm.explain.probe import Probe, answering, hide, in_chunks, items, repeat

TITLE = "leave one out"
CHUNK = 64  # changed copies in one forward pass


def attribute(probe: Probe) -> dict[str, Tensor]:
    """Stream -> (rows, K), signed: what speaks against the answer is negative."""
    found = {}
    for name, stream in probe.batch.streams():
        there = items(stream)
        if name not in probe.batch.more and there is not None and there.any():
            found[name] = _relevance(probe, name, there)
    return found


def _relevance(probe: Probe, name: str, there: Tensor) -> Tensor:
    """(rows, K): 0 for what cannot be hidden."""
    places = there.nonzero()  # (items, 2): row, item
    relevance = torch.zeros(there.shape)
    with answering(probe.model), torch.no_grad():
        for chunk in in_chunks(range(len(places)), CHUNK):
            chosen = places[list(chunk)]
            hidden = torch.zeros(len(chosen), *there.shape, dtype=torch.bool, device=there.device)
            hidden[torch.arange(len(chosen)), chosen[:, 0], chosen[:, 1]] = True
            batch = hide(repeat(probe.batch, len(chosen)), name, hidden.flatten(0, 1))
            scores = probe.score(probe.model(batch)).double().cpu()
            relevance[chosen[:, 0], chosen[:, 1]] = (probe.unchanged - scores).float()
    return relevance
