"""Texts of like length together, so that an encoder works on words and not on padding."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from chiasm.batch import Text

GROUP = 8  # texts in a group at least, at BERT-base's width: smaller products cost more than padding
GROUPS = 8  # at most
WORTH = 0.1  # the share of the positions that must be saved


def fewest_texts(hidden_size: int) -> int:
    """How many texts a group has at least: more where states are narrower, and calls cost more than their products."""
    return GROUP * max(1, round((768 / hidden_size) ** 2))


def length_groups(text: Text, fewest: int) -> list[Tensor]:
    """Text (B, T) -> the positions of the examples, in groups of at least `fewest` texts of like length.

    One group where there are too few, or little would be saved.
    """
    lengths = last_positions(text.attention_mask)
    if text.index is not None:
        lengths = lengths[text.index[:, 0]]
    count = min(GROUPS, len(lengths) // fewest)
    whole = torch.arange(len(lengths), device=lengths.device)
    if count < 2:
        return [whole]
    groups = list(lengths.argsort(stable=True).tensor_split(count))
    padded = sum(len(group) * int(lengths[group].max()) for group in groups)
    return groups if padded < (1 - WORTH) * len(lengths) * text.attention_mask.shape[1] else [whole]


def trimmed(text: Text) -> Text:
    """The texts without the padding that all of them have; at least one position stays."""
    length = max(1, int(last_positions(text.attention_mask).max()))
    types = None if text.token_type_ids is None else text.token_type_ids[:, :length]
    return replace(
        text,
        input_ids=text.input_ids[:, :length],
        attention_mask=text.attention_mask[:, :length],
        token_type_ids=types,
    )


def last_positions(mask: Tensor) -> Tensor:
    """(B, T) bool -> (B,): the number of positions up to the last real one; hidden words in between count."""
    numbers = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (mask * numbers).amax(1)
