"""Generated worlds that several sources read."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiasm.synth import generate


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "scenes"
    generate("scenes", folder, seed=0, progress=False, scenes=24, val_scenes=6, test_scenes=6)
    return folder


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "pairs"
    generate("pairs", folder, seed=0, progress=False, statements=20)
    return folder
