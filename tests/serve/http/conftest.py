"""A service over a small untrained model, and one trained bundle on the disk for real processes and browsers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chiasm.serve.endpoints import Service
from chiasm.serve.predictor import Predictor
from chiasm.serve.served import Served
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train
from tests.serve.http.asking import Client, closing


@pytest.fixture(scope="session")
def served(predictor: Predictor) -> Served:
    return Served("small", predictor)


@pytest.fixture(scope="session")
def client(served: Served) -> Iterator[Client]:
    with closing(Service([served])) as made:
        yield made


@pytest.fixture(scope="session")
def table_predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A model of rows of text and table, hardly trained."""
    recipe = load_recipe("text_tabular_rows").tiny().with_settings(["training.epochs=1"])
    return Predictor(train(recipe, out=tmp_path_factory.mktemp("table") / "run", show=False).bundle)


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that has learnt a little of the generated world."""
    recipe = load_recipe("demo").tiny().with_settings(["training.epochs=2"])
    folder = tmp_path_factory.mktemp("served") / "tiny"
    train(recipe, out=folder, show=False)
    return folder / "bundle"
