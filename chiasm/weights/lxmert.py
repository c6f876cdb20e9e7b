"""LXMERT's published weights <-> ours.

The original code, Hugging Face's classes and ours hold the same tensors under other names; ours keeps query, key and
value as one matrix. Every key must find its place: a missing or unexpected one is an error that names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

_PARTS = ("query", "key", "value")


class WeightsError(Exception):
    """Weights that do not fit the model; the message names the keys."""


def _attention(ours: str, theirs: str, output: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """One attention with its add-and-norm: our prefix, their prefixes of the projections and of the output."""
    for kind in ("weight", "bias"):
        yield f"{ours}.attention.qkv.{kind}", tuple(f"{theirs}.{part}.{kind}" for part in _PARTS)
        yield f"{ours}.attention.output.{kind}", (f"{output}.dense.{kind}",)
        yield f"{ours}.add_norm.norm.{kind}", (f"{output}.LayerNorm.{kind}",)


def _feed_forward(ours: str, up: str, down: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for kind in ("weight", "bias"):
        yield f"{ours}.up.{kind}", (f"{up}.dense.{kind}",)
        yield f"{ours}.down.{kind}", (f"{down}.dense.{kind}",)
        yield f"{ours}.add_norm.norm.{kind}", (f"{down}.LayerNorm.{kind}",)


def _both(ours: str, theirs: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for kind in ("weight", "bias"):
        yield f"{ours}.{kind}", (f"{theirs}.{kind}",)


def encoder_names(language: int, objects: int, cross: int) -> dict[str, tuple[str, ...]]:
    """Our encoder's key -> theirs (three for a fused projection), without the prefix "bert." or "lxmert."."""
    return dict(_encoder_names(language, objects, cross))


def _encoder_names(language: int, objects: int, cross: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    for ours, theirs in (("words", "word"), ("positions", "position"), ("types", "token_type")):
        yield f"text_embedding.{ours}.weight", (f"embeddings.{theirs}_embeddings.weight",)
    yield from _both("text_embedding.norm", "embeddings.LayerNorm")
    yield from _both("region_embedding.features", "encoder.visn_fc.visn_fc")
    yield from _both("region_embedding.features_norm", "encoder.visn_fc.visn_layer_norm")
    yield from _both("region_embedding.boxes", "encoder.visn_fc.box_fc")
    yield from _both("region_embedding.boxes_norm", "encoder.visn_fc.box_layer_norm")
    for ours, theirs, count in (
        ("language_layers", "layer", language),
        ("object_layers", "r_layers", objects),
    ):
        for i in range(count):
            here, there = f"{ours}.{i}", f"encoder.{theirs}.{i}"
            yield from _attention(f"{here}.self_attention", f"{there}.attention.self", f"{there}.attention.output")
            yield from _feed_forward(f"{here}.feed_forward", f"{there}.intermediate", f"{there}.output")
    for i in range(cross):
        here, there = f"cross_layers.{i}", f"encoder.x_layers.{i}"
        yield from _attention(
            f"{here}.cross_attention", f"{there}.visual_attention.att", f"{there}.visual_attention.output"
        )
        for ours, theirs in (("text", "lang"), ("regions", "visn")):
            att = f"{there}.{theirs}_self_att"
            yield from _attention(f"{here}.{ours}_self_attention", f"{att}.self", f"{att}.output")
            yield from _feed_forward(
                f"{here}.{ours}_feed_forward", f"{there}.{theirs}_inter", f"{there}.{theirs}_output"
            )
    yield from _both("pooler.dense", "pooler.dense")


def rename_in(theirs: Mapping[str, Tensor], names: Mapping[str, tuple[str, ...]]) -> dict[str, Tensor]:
    """Their tensors under our names. Raises WeightsError naming missing and unexpected keys."""
    wanted = {key for keys in names.values() for key in keys}
    _check(wanted, set(theirs))
    return {ours: torch.cat([theirs[key] for key in keys]) for ours, keys in names.items()}


def rename_out(ours: Mapping[str, Tensor], names: Mapping[str, tuple[str, ...]]) -> dict[str, Tensor]:
    """Our tensors under their names. Raises WeightsError naming missing and unexpected keys."""
    _check(set(names), set(ours))
    return {
        key: part.clone()
        for name, keys in names.items()
        for key, part in zip(keys, ours[name].chunk(len(keys)), strict=True)
    }


def _check(wanted: set[str], given: set[str]) -> None:
    missing, unexpected = sorted(wanted - given), sorted(given - wanted)
    if missing or unexpected:
        parts = [f"{len(keys)} {what}: {', '.join(keys[:5])}" for what, keys in
                 (("missing", missing), ("unexpected", unexpected)) if keys]  # fmt: skip
        raise WeightsError(f"these weights do not fit: {'; '.join(parts)}")
