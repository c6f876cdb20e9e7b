"""What the tests of training share: the plug-ins and a recipe that trains in a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chiasm.training.recipe import Recipe

sys.path.insert(0, str(Path(__file__).parent))

import plugins

RECIPE = """
title = "Two words in order"
model = "word_bag"
task = "two_way"

[data]
source = "word_pairs"
train = ["train"]
validation = ["val"]
test = ["test"]
options = { count = 200, extra = true }

[text]
vocabulary = "train"

[options]
hidden_size = 16

[training]
epochs = 3
batch_size = 16
lr = 1e-2
log_every = 5
trackers = []

[paper]
accuracy = 0.9

[tiny.data]
options = { count = 20 }

[tiny.training]
epochs = 1
"""


@pytest.fixture(autouse=True)
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The small model, task and source are found by name; afterwards they are not."""
    for package, path in plugins.paths().items():
        monkeypatch.setattr(package, "__path__", path)
    yield
    for name in ("chiasm.models.word_bag", "chiasm.tasks.two_way", "chiasm.data.sources.word_pairs"):
        sys.modules.pop(name, None)


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    """`recipe("training.lr=1e-3", ...)`: the small recipe with these settings."""

    def make(*settings: str, **_: Any) -> Recipe:
        return Recipe.from_toml(RECIPE, name="small").with_settings(list(settings))

    return make


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A data folder; the source makes its words up."""
    folder = tmp_path / "words"
    folder.mkdir()
    return folder
