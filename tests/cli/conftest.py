"""One small trained bundle for all tests of the verbs, and the command line called in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.cli import main
from chiasm.training.data import world_folder
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import train


@pytest.fixture
def chiasm() -> Callable[..., int]:
    """`chiasm("predict", folder, "--text", "...")` is the command line; gives the exit code."""

    def run(*words: object) -> int:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        return int(ended.value.code or 0)

    return run


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return load_recipe("demo").tiny().with_settings(["training.epochs=2"])


@pytest.fixture(scope="session")
def trained(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    train(recipe, out=folder, show=False)
    return folder


@pytest.fixture(scope="session")
def world(recipe: Recipe) -> Path:
    """The generated world of that run."""
    return world_folder(recipe, show=False)


@pytest.fixture(scope="session")
def picture(world: Path) -> Path:
    return sorted((world / "images").glob("*.png"))[0]


@pytest.fixture(scope="session")
def questions(world: Path) -> list[dict[str, str]]:
    """The test questions as rows: id, image, text."""
    found = json.loads((world / "questions" / "test_balanced_questions.json").read_text())
    return [
        {"id": name, "image": str(world / "images" / f"{q['imageId']}.png"), "text": q["question"]}
        for name, q in found.items()
    ]


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a verb writes by default goes into the test's own folder."""
    monkeypatch.chdir(tmp_path)
