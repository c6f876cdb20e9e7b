"""What is planted in the generated captions: people of different care, and whether VBCS tells them apart."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from chiasm.data.sources import captions
from chiasm.synth import generate
from chiasm.tasks.caption import Caption
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train


def test_validity_prefers_people_who_say_something(tmp_path: Path) -> None:
    world = generate(
        "scenes",
        tmp_path / "world",
        scenes=80,
        val_scenes=1,
        test_scenes=1,
        max_objects=3,
        questions=1,
        formats=["captions"],
        workers=1,
    )
    rows = captions.read(world, "train")
    task = Caption(min_count=1, sampling="validity").fit(rows)
    shares = np.split(task.shares(rows), len(rows))
    by_person: dict[str, list[float]] = defaultdict(list)
    for row, of_image in zip(rows, shares, strict=True):
        for person, share in zip(row.info["annotator"], of_image, strict=True):
            by_person[person].append(float(share))
    mean = {person: float(np.mean(found)) for person, found in by_person.items()}
    assert mean["careful"] > mean["vague"]
    assert mean["careful"] > mean["terse"]
    assert mean["plain"] > 1 / 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_validity_based_sampling_improves_cider(seed: int, tmp_path: Path) -> None:
    found = {}
    for sampling in ("uniform", "validity"):
        settings = [f"task.sampling={sampling}", "task.smoothing=none", f"training.seed={seed}"]
        recipe = load_recipe("caption_planted").with_settings(settings)
        found[sampling] = train(recipe, out=tmp_path / sampling, show=False).metrics["test"]["cider_d"]
    assert found["validity"].value > found["uniform"].value
