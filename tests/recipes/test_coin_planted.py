"""What is planted in the generated dialogues is found by COIN, and later or not at all by its ablations."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiasm.metrics.estimate import Estimate
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train

ABLATED = "options.mutual_interaction=false"


def accuracy(folder: Path, *settings: str) -> Estimate:
    recipe = load_recipe("coin_planted").with_settings(["training.trackers=[]", *settings])
    return train(recipe, out=folder, overwrite=True, show=False).metrics["test"]["accuracy"]


def test_coin_beats_its_ablation_without_speaker_interaction_clearly(tmp_path: Path) -> None:
    full, ablated = accuracy(tmp_path), accuracy(tmp_path, ABLATED)
    assert full.low > ablated.high
    assert full.value > ablated.value + 0.1
    assert full.value > 0.8


@pytest.mark.slow
def test_coin_beats_its_ablation_for_every_seed(tmp_path: Path) -> None:
    pairs = [
        (accuracy(tmp_path, f"training.seed={seed}"), accuracy(tmp_path, f"training.seed={seed}", ABLATED))
        for seed in range(3)
    ]
    assert all(full.value > ablated.value for full, ablated in pairs)
    assert sum(full.value - ablated.value for full, ablated in pairs) / 3 > 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "most"),
    [
        (["dialogue.history=0"], 0.6),  # one of two emotions can be ruled out, no more
        (["dialogue.modalities=['audio','visual']"], 0.5),  # no tone
        (["dialogue.modalities=['text','visual']"], 0.6),  # no mood
    ],
)
def test_without_what_carries_the_rule_nothing_is_found(tmp_path: Path, settings: list[str], most: float) -> None:
    assert accuracy(tmp_path, *settings, "training.epochs=6").value < most


@pytest.mark.slow
def test_the_visual_noise_is_not_needed(tmp_path: Path) -> None:
    assert accuracy(tmp_path, "dialogue.modalities=['text','audio']", "training.epochs=6").value > 0.95
