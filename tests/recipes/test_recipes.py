"""The recipes that come along: found by name, valid, and LXMERT's as published."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest
import torch

from chiasm.recipes import recipe_names, recipe_path, recipe_text, recipe_titles
from chiasm.registry import UnknownName
from chiasm.tasks import task
from chiasm.training.bundle import build_model
from chiasm.training.recipe import load_recipe

PUBLISHED = ("lxmert_vqa", "lxmert_gqa", "lxmert_nlvr2")


def test_the_folder_is_the_list() -> None:
    assert {"demo", "demo_long", "lxmert_nlvr1", "lxmert_easyvqa", *PUBLISHED} <= set(recipe_names())


def test_an_unknown_recipe_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="unknown recipe 'lxmert_gqq'; did you mean 'lxmert_gqa'"):
        recipe_path("lxmert_gqq")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_valid_and_has_a_title(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.title == recipe_titles()[name]
    assert len(recipe.title) > 10


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_has_a_tiny_version_that_needs_no_data(name: str) -> None:
    assert "tiny" in tomllib.loads(recipe_text(name))
    assert load_recipe(name).tiny().data.world is not None


def test_listing_recipes_does_not_import_torch() -> None:
    code = "import sys, chiasm.recipes as r; r.recipe_titles(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "labels", "images", "parameters"),
    [("lxmert_vqa", 3129, 1, 213_930_297), ("lxmert_gqa", 1842, 1, 211_952_178), ("lxmert_nlvr2", 2, 2, 210_303_746)],
)
def test_the_published_recipes_have_the_published_size(name: str, labels: int, images: int, parameters: int) -> None:
    """Sheet `lxmert`, section 3; the sizes of the data are given as the tasks and a vocabulary say them."""
    recipe = load_recipe(name)
    facts = {"vocab_size": 30_522, "feature_size": 2048, "num_labels": labels, "num_images": images}
    with torch.device("meta"):
        model = build_model(recipe, facts, task(recipe.task).Task(**recipe.task_options))
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize(("name", "lr"), [("lxmert_vqa", 5e-5), ("lxmert_gqa", 1e-5), ("lxmert_nlvr2", 5e-5)])
def test_the_published_recipes_train_as_published(name: str, lr: float) -> None:
    """Sheet `lxmert`, section 6."""
    training, text = load_recipe(name).training, load_recipe(name).streams["text"]
    assert (training.optimizer, training.lr, training.weight_decay) == ("bert_adam", lr, 0.01)
    assert (training.epochs, training.batch_size, training.warmup, training.clip_norm) == (4, 32, 0.1, 5.0)
    assert (training.schedule, training.drop_last, training.seed) == ("linear", True, 9595)
    assert text["max_length"] == 20
