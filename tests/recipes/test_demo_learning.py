"""What the demo's recipes must reach on held-out scenes, with all the steps that they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from chiasm.metrics.estimate import Estimate
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train

UNHURRIED = ["training.max_seconds=0", "training.kernel=default"]


def on_held_out_scenes(name: str, out: Path, *settings: str) -> Mapping[str, Estimate]:
    recipe = load_recipe(name).with_settings([*UNHURRIED, *settings])
    metrics = train(recipe, out=out, show=False).metrics["test"]
    print({key: str(value) for key, value in metrics.items() if key == "accuracy" or "detailed" in key})
    return metrics


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_demo_answers_questions_through_a_relation_and_its_blind_twin_does_not(tmp_path: Path) -> None:
    seen = on_held_out_scenes("demo", tmp_path / "seen")
    assert seen["accuracy"].value >= 0.88
    assert seen["accuracy/detailed/query_relation"].value >= 0.90
    blind = on_held_out_scenes("demo", tmp_path / "blind", "options.use_images=false")
    assert blind["accuracy"].value < 0.60


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_the_long_demo_answers_every_type_of_question(tmp_path: Path) -> None:
    metrics = on_held_out_scenes("demo_long", tmp_path)
    by_type = {key: value.value for key, value in metrics.items() if key.startswith("accuracy/detailed/")}
    assert len(by_type) == 18
    assert min(by_type.values()) >= 0.95, min(by_type.items(), key=lambda item: item[1])
