"""Encoders of `transformers`: their configurations, what they can read, and published weights, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chiasm.batch import Text

POOLER = "pooler."  # the only part that a published file may lack: several models are published without


def configuration(values: Mapping[str, Any], *, section: str, **defaults: Any) -> Any:
    """The configuration with these values, `model_type` among them. Raises ValueError naming the recipe's section."""
    from transformers import CONFIG_MAPPING, AutoConfig

    given = dict(values)
    kind = str(given.pop("model_type", ""))
    if kind not in CONFIG_MAPPING:
        raise ValueError(f"{section}: model_type {kind!r} is unknown to transformers; e.g. 'bert', 'vit', 'resnet'")
    return AutoConfig.for_model(kind, **{**defaults, **given})


def published(weights: str, *, what: str) -> Any:
    """The encoder in a folder, or on the Hub under a name, its weights complete but for the pooler.

    Raises ValueError when it cannot be loaded, or when the file lacks a weight: transformers would draw it at random.
    """
    from transformers import AutoModel

    try:
        encoder, report = AutoModel.from_pretrained(weights, output_loading_info=True)
    except (OSError, ValueError) as error:
        raise ValueError(f"no {what} can be loaded from {weights!r}: {error}") from error
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(POOLER))
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise ValueError(f"{weights!r} lacks weights of the {what}: {', '.join(missing[:3])}{more}")
    return encoder


def without_pooler(encoder: Any) -> Any:
    """The encoder without the layer that it applies to its first state, where it has one that is trained."""
    pooler = getattr(encoder, "pooler", None)
    if pooler is not None and any(True for _ in pooler.parameters()):
        encoder.pooler = None
    return encoder


def check_vocabulary(config: Any, vocab_size: int) -> None:
    """Raise ValueError when the tokenizer has word pieces that an encoder of this configuration does not know."""
    if config.vocab_size < vocab_size:
        raise ValueError(
            f"the text encoder knows {config.vocab_size} word pieces and the tokenizer {vocab_size}: "
            "give [text] vocabulary the tokenizer of the same model"
        )


def check_length(text: Text, max_positions: int | None) -> None:
    """Raise ValueError for a text (B, T) longer than an encoder's positions; None, 0, -1: it has no limit."""
    length = text.input_ids.shape[1]
    if max_positions is not None and 0 < max_positions < length:
        raise ValueError(
            f"a text of {length} word pieces is longer than the text encoder's {max_positions} positions; "
            "lower [text] max_length"
        )
