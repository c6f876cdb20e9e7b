"""What Multimodal-Toolkit learns: the planted truth of generated reviews, and real pets beside a constant answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiasm.metrics.classification import evaluate
from chiasm.training.data import BadRowPolicy, read_splits
from chiasm.training.folds import divided
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import train
from chiasm.training.tables import load_table

PLANTED = [
    "data.world.rows=1500",
    "data.world.val_rows=300",
    "training.epochs=8",
    "training.lr=5e-3",
    "training.batch_size=50",
    "training.keep_best=true",
]
WITHOUT = {
    "text": ["options.combine=concat", "options.use_text=false"],
    "table": ["options.combine=text_only"],
}
ROWS = {row.name: row.settings for row in load_table("text_tabular/3_petfinder").rows}


def accuracy(recipe: Recipe, out: Path) -> float:
    return train(recipe, out=out, show=False).metrics["validation"]["accuracy"].value


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_text_and_table_together_find_what_neither_tells_alone(seed: int, tmp_path: Path) -> None:
    recipe = load_recipe("text_tabular_clothing_small").tiny().with_settings([*PLANTED, f"training.seed={seed}"])
    alone = {part: accuracy(recipe.with_settings(s), tmp_path / part) for part, s in WITHOUT.items()}
    both = {
        name: accuracy(recipe.with_settings([f"options.combine={name}"]), tmp_path / name)
        for name in ("concat", "gating", "attention")
    }
    print(f"seed {seed}: without {alone}, with both {both}")
    assert max(alone.values()) < 0.88
    assert min(both["concat"], both["gating"]) > max(alone.values()) + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ROWS))
def test_real_pets_on_the_first_fold_beat_a_constant_answer(name: str, shared_data: object, tmp_path: Path) -> None:
    folder = shared_data("petfinder")  # type: ignore[operator]
    recipe = load_recipe("text_tabular_petfinder_small")
    recipe = recipe.with_settings(['data.train=["val"]', "data.validation=[]", "training.trackers=[]", *ROWS[name]])
    rows = [e for split in read_splits(recipe, folder, BadRowPolicy(), show=False).values() for e in split]
    fold = next(iter(divided(rows, 4)))
    metrics = train(recipe, fold, tmp_path, show=False).metrics["test"]
    truth = [str(e.values["answer"]) for e in fold["test"]]
    trained = [str(e.values["answer"]) for e in fold["train"]]
    constant = max(set(trained), key=trained.count)
    floor = evaluate(truth, [constant] * len(truth), sorted({*truth, *trained}))
    print(f"{name}: macro {metrics['macro_f1'].value:.3f} micro {metrics['micro_f1'].value:.3f}; "
          f"constant: macro {floor['macro_f1'].value:.3f} micro {floor['micro_f1'].value:.3f}")  # fmt: skip
    assert metrics["macro_f1"].value > floor["macro_f1"].value + 0.03
