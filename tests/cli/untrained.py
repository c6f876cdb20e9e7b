"""Bundles of models that were never trained, for tests of verbs that need no good ones."""

from __future__ import annotations

from pathlib import Path

import torch

from chiasm.training.bundle import Bundle, build_model
from chiasm.training.data import BadRowPolicy, prepare, read_splits
from chiasm.training.recipe import Recipe


def untrained(recipe: Recipe, folder: Path) -> Path:
    """A bundle of a model that was never trained: it writes, and badly."""
    policy = BadRowPolicy()
    prepared = prepare(recipe, read_splits(recipe, None, policy, show=False), policy)
    torch.manual_seed(0)
    model = build_model(recipe, prepared.facts, prepared.task).eval()
    return Bundle(model, prepared.task, prepared.preprocessors, recipe).save(folder)
