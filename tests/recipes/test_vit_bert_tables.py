"""ViT-BERT's recipes and tables: the sheet's settings, every row loads at full and at tiny size."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import chiasm.recipes
from chiasm.training.recipe import load_recipe

TABLES = sorted((Path(chiasm.recipes.__file__).parent / "tables" / "vit_bert").glob("*.toml"))
PUBLISHED = {"vit_bert_vqa": 96, "vit_bert_nlvr2": 96, "vit_bert_vcr": 48, "cnn_bert_vqa": 96, "vit_lstm_vqa": 96}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_is_a_recipe_with_changes_that_exist(path: Path) -> None:
    table = tomllib.loads(path.read_text())
    assert table["reference"] in {row["name"] for row in table["rows"]}
    for row in table["rows"]:
        assert row["paper"]
        if row["recipe"]:
            recipe = load_recipe(row["recipe"]).with_settings(row.get("settings", []))
            assert recipe.tiny().data.world is not None


def test_the_printed_numbers_are_those_of_the_sheet() -> None:
    """Sheet `vit_bert`, section 8."""
    rows = {
        path.stem: {row["name"]: list(row["paper"].values()) for row in tomllib.loads(path.read_text())["rows"]}
        for path in TABLES
    }
    assert rows["1_vqa"]["ViT-BERT"] == rows["2_vqa"]["ViT-BERT"] == [67.84]
    assert rows["2_vqa"] == {
        "CNN+BERT": [65.36],
        "ViT+LSTM": [62.27],
        "w/o finetuning": [56.54],
        "ViT-BERT": [67.84],
    }
    assert rows["2_vcr"]["CNN+BERT"] == [65.4, 68.1, 48.9]
    assert rows["2_nlvr2"]["w/o finetuning"] == [52.4]
    assert rows["1_vcr"]["ERNIE-ViL"] == [79.2, 83.5, 66.3]
    assert rows["1_nlvr2"]["CAPT"] == [75.1]


@pytest.mark.parametrize(("name", "batch"), PUBLISHED.items())
def test_the_published_recipes_train_as_the_sheet_says(name: str, batch: int) -> None:
    training = load_recipe(name).training
    assert (training.epochs, training.lr, training.batch_size) == (25, 1e-4, batch)
    assert (training.optimizer, training.weight_decay, training.schedule) == ("adamw", 0.0, "linear")


def test_heads_are_linear_for_vqa_and_perceptrons_where_images_would_cancel() -> None:
    assert not load_recipe("vit_bert_vqa").options["mlp_head"]
    assert not load_recipe("vit_bert_frozen_vqa").options["mlp_head"]
    assert load_recipe("vit_bert_vcr").options["mlp_head"]
    assert load_recipe("vit_bert_nlvr2").options["mlp_head"]


def test_a_convolutional_encoder_gets_its_own_normalisation() -> None:
    assert load_recipe("cnn_bert_vqa").streams["images"]["mean"] == [0.485, 0.456, 0.406]
