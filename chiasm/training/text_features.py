"""Utterances -> the text features of COIN: what a trained text CNN holds before its last layer (100 numbers)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from chiasm.data.dialogue import SILENCE
from chiasm.data.dialogue_folder import Labelled
from chiasm.data.example import DataError, Example
from chiasm.training.bundle import Bundle
from chiasm.training.predict import evaluating


def text_tables(dialogues: Sequence[Labelled], bundle: Bundle, *, batch_size: int = 256) -> list[NDArray[np.float32]]:
    """(U, D) for each dialogue: the bundle's state "pooled" of every utterance's words.

    The network must have been trained on training dialogues only. Raises `DataError` when it is none of words alone,
    or the dialogues have no words.
    """
    if set(bundle.preprocessors) != {"text"}:
        raise DataError(f"text features need a model of words alone; this one reads {', '.join(bundle.preprocessors)}")
    silent = [one.conversation.id for one in dialogues if one.conversation.texts is None]
    if silent:
        raise DataError(f"{len(silent)} dialogues have no words, e.g. {silent[0]}")
    examples = [
        Example(f"{one.conversation.id}_{i}", {"text": text if text.strip() else SILENCE})
        for one in dialogues
        for i, text in enumerate(one.conversation.texts or ())
    ]
    states = _pooled(bundle, examples, batch_size)
    ends = np.cumsum([len(one.conversation) for one in dialogues])[:-1]
    return list(np.split(states, ends))


def _pooled(bundle: Bundle, examples: Sequence[Example], batch_size: int) -> NDArray[np.float32]:
    """(n, D)."""
    dataset = bundle.dataset(examples)
    device = next(bundle.model.parameters()).device
    found = []
    with evaluating(bundle.model), torch.inference_mode():
        for part in torch.arange(len(dataset)).split(batch_size):
            states = bundle.model(dataset.batch(part).to(device)).states
            if "pooled" not in states:
                raise DataError(f"the model {bundle.recipe.model!r} gives no state 'pooled' to take features from")
            found.append(states["pooled"].float().cpu())
    return torch.cat(found).numpy()
