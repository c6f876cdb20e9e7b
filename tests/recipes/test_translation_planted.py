"""What is planted in the generated phrases: an order and endings, which attention finds whatever the last layer is."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import train

SMALL = [
    'data={ source = "translation", train = ["train"], validation = ["val"], test = ["test"] }',
    'data.options={ source = "one", target = "two" }',
    'data.world={ kind = "phrases", sentences = 1500, val_sentences = 20, test_sentences = 200 }',
    "options.embedding_size=64",
    "options.hidden_size=64",
    "options.output_size=64",
    "options.dropout=0.1",
    "options.beam_size=3",
    "options.max_words=12",
    "training.epochs=12",
    "training.batch_size=32",
    "training.lr=5e-3",
    "training.schedule=linear",
    "training.evaluate_every=100000",
    "training.trackers=[]",
]
KINDS = {
    "trained": [],
    "tied": ["options.targets=tied"],
    "fixed": ["options.targets=fixed", "options.target_normalised=true", "options.fix_bias=true"],
}


def small(*settings: str) -> Recipe:
    return load_recipe("multi30k_de_en").with_settings([*SMALL, *settings])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_new_phrases_are_translated(kind: str, tmp_path: Path) -> None:
    found = train(small(*KINDS[kind]), out=tmp_path / kind, show=False)
    assert found.metrics["test"]["bleu"].value > 0.5
    assert found.metrics["test"]["length_ratio"].value == pytest.approx(1, abs=0.1)
