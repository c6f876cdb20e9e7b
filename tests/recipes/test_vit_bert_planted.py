"""Generated questions with four answers: a perceptron brings image and text together, a linear head cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiasm.metrics.estimate import Estimate
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train

WORLD = "data.world={ kind = 'choices', scenes = 400, val_scenes = 150, test_scenes = 20, answers = ['place'] }"
SETTINGS = (WORLD, "task.ask=answer", "choices.rationales=none", "training.epochs=15", "training.lr=3e-3")


def measured(out: Path, *settings: str) -> Estimate:
    recipe = load_recipe("vit_bert_vcr").tiny().with_settings([*SETTINGS, *settings])
    return train(recipe, out=out, show=False).metrics["validation"]["q_to_a"]


@pytest.mark.slow
def test_what_is_under_things_is_seen_with_a_perceptron_and_not_with_a_linear_head(tmp_path: Path) -> None:
    seen = measured(tmp_path / "perceptron")
    linear = measured(tmp_path / "linear", "options.mlp_head=false")
    blind = measured(tmp_path / "blind", "options.use_images=false")
    print(f"perceptron {seen}, linear {linear}, without the image {blind}")
    assert seen.low > 0.6
    assert linear.low < 0.25 < linear.high + 0.05
    assert blind.low < 0.25 < blind.high + 0.05
