"""Every recipe, made tiny, prepared once and trained once for all standing tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from chiasm.batch import Batch
from chiasm.models import CrossModalModel
from chiasm.recipes import recipe_names
from chiasm.training.bundle import build_model
from chiasm.training.data import BadRowPolicy, Prepared, prepare, read_splits
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import RunResult, train


@dataclass(frozen=True)
class Tiny:
    """One recipe with its `[tiny]` overrides, its data, a fresh model, and a run."""

    name: str
    folder: Path

    @cached_property
    def recipe(self) -> Recipe:
        """The last weights are kept, not the best ones: on so few examples validation says little."""
        return load_recipe(self.name).tiny().with_settings(["training.keep_best=false"])

    @cached_property
    def prepared(self) -> Prepared:
        policy = BadRowPolicy("stop")
        return prepare(self.recipe, read_splits(self.recipe, None, policy, show=False), policy)

    def model(self) -> CrossModalModel:
        """A new model with the weights of a fixed seed, in evaluation mode."""
        torch.manual_seed(0)
        return build_model(self.recipe, self.prepared.facts, self.prepared.task).eval()

    def positions(self, count: int) -> Tensor:
        """Training examples from everywhere, in pairs of neighbours: about different images and about the same."""
        pairs = torch.linspace(0, len(self.prepared.splits["train"]) - 2, max(1, count // 2)).long()
        return torch.stack([pairs, pairs + 1], 1).flatten().unique()

    def batch(self, count: int = 8) -> Batch:
        """The examples at `positions(count)`."""
        return self.prepared.splits["train"].batch(self.positions(count))

    @cached_property
    def run(self) -> RunResult:
        return train(self.recipe, out=self.folder / self.name, show=False)


@cache
def _tiny(name: str, folder: Path) -> Tiny:
    return Tiny(name, folder)


@pytest.fixture(scope="session")
def standing_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("standing")


@pytest.fixture(scope="session", params=recipe_names())
def tiny(request: pytest.FixtureRequest, standing_folder: Path) -> Tiny:
    """Each recipe in turn."""
    return _tiny(request.param, standing_folder)


@pytest.fixture(scope="session")
def scores() -> Callable[[CrossModalModel, Batch], dict[str, Tensor]]:
    """The scores of a model for a batch, by head, without a graph."""

    def of(model: Any, batch: Batch) -> dict[str, Tensor]:
        with torch.inference_mode():
            return dict(model(batch).scores)

    return of
