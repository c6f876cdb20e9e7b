"""Tensors under other names: every key must find its place, and a missing or unexpected one is named.

`names` maps one of our keys to theirs: to several when ours holds their tensors one after another (a fused
projection).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SHOWN = 5  # keys that a message names

Names = Mapping[str, tuple[str, ...]]


class WeightsError(Exception):
    """Weights that do not fit the model, or a file that holds none; the message names the keys."""


def rename_in(theirs: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """Their tensors under our names. Raises WeightsError naming missing and unexpected keys."""
    wanted = {key for keys in names.values() for key in keys}
    check_keys(wanted, set(theirs))
    return {ours: _joined([theirs[key] for key in keys]) for ours, keys in names.items()}


def rename_out(ours: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """Our tensors under their names. Raises WeightsError naming missing and unexpected keys."""
    check_keys(set(names), set(ours))
    return {
        key: part.clone()
        for name, keys in names.items()
        for key, part in zip(keys, ours[name].chunk(len(keys)), strict=True)
    }


def check_keys(wanted: set[str], given: set[str]) -> None:
    """Raises WeightsError unless both are the same."""
    missing, unexpected = sorted(wanted - given), sorted(given - wanted)
    found = [f"{len(keys)} {what}: {_listed(keys)}" for what, keys in
             (("missing", missing), ("unexpected", unexpected)) if keys]  # fmt: skip
    if found:
        raise WeightsError(f"these weights do not fit: {'; '.join(found)}")


def check_shapes(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Raises WeightsError unless both have the same keys with the same shapes."""
    check_keys(set(wanted), set(given))
    wrong = [f"{k} is {tuple(given[k].shape)}, not {tuple(t.shape)}" for k, t in wanted.items() if _differ(given[k], t)]
    if wrong:
        raise WeightsError(f"these weights do not fit: {len(wrong)} of another shape: {'; '.join(wrong[:SHOWN])}")


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _differ(a: Tensor, b: Tensor) -> bool:
    return a.shape != b.shape


def _listed(keys: list[str]) -> str:
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")
