"""What is planted in the generated phrases: an order and endings, which are learnt whatever the last layer is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from chiasm.metrics.captions.diversity import rare_words, vocabulary_usage
from chiasm.metrics.estimate import Estimate
from chiasm.training.data import BadRowPolicy, read_splits
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


def words_used(recipe: Recipe, run: Path) -> Mapping[str, Estimate]:
    """Different words of the translations, and of them what training has at most ten times; those of the right ones."""
    splits = read_splits(recipe, None, BadRowPolicy("stop"), show=False)
    texts = {name: [str(row.values["answer"]) for row in rows] for name, rows in splits.items()}
    occurrences = Counter(word for text in texts["train"] for word in text.split())
    lines = (run / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    said = [json.loads(line)["answer"] for line in lines]
    right = rare_words(texts["test"], occurrences, at_most=10)
    return {
        "different": vocabulary_usage(said),
        **rare_words(said, occurrences, at_most=10),
        **{f"{name}_of_the_right_ones": value for name, value in right.items()},
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_new_phrases_are_translated(kind: str, tmp_path: Path) -> None:
    recipe = small(*KINDS[kind])
    found = train(recipe, out=tmp_path / kind, show=False)
    shown = {"bleu": found.metrics["test"]["bleu"], **words_used(recipe, tmp_path / kind)}
    print(kind, {name: str(value) for name, value in shown.items()})
    assert found.metrics["test"]["bleu"].value > 0.5
    assert found.metrics["test"]["length_ratio"].value == pytest.approx(1, abs=0.1)
