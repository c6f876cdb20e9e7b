"""Small worlds that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiasm.synth import generate
from tests.synth.executor import Files

SEED = 3


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A world of scenes: 240 for training, 60 each for val and test."""
    folder = tmp_path_factory.mktemp("worlds") / "scenes"
    return Files(generate("scenes", folder, seed=SEED, scenes=240, val_scenes=60, test_scenes=60, workers=1))


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A world of pairs: 60 statements for training, 20 each for val and test."""
    folder: Path = tmp_path_factory.mktemp("worlds") / "pairs"
    sizes = {"statements": 60, "val_statements": 20, "test_statements": 40}
    return Files(generate("pairs", folder, seed=SEED, workers=1, **sizes))
