"""Recipes: read, checked, changed, written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.registry import UnknownName
from chiasm.training.errors import RecipeError
from chiasm.training.recipe import Recipe, load_recipe

Make = Callable[..., Recipe]


def test_sections_are_typed(recipe: Make) -> None:
    made = recipe()
    assert (made.name, made.model, made.task) == ("small", "word_bag", "two_way")
    assert made.data.train == ("train",)
    assert made.training.lr == 0.01
    assert made.options == {"hidden_size": 16}
    assert made.streams == {"text": {"vocabulary": "train"}}
    assert made.paper == {"accuracy": 0.9}


def test_settings_change_a_key(recipe: Make) -> None:
    changed = recipe("training.lr=1e-4", "options.hidden_size=8", "text.vocabulary=words.txt", "task.flip=true")
    assert changed.training.lr == 1e-4
    assert changed.options["hidden_size"] == 8
    assert changed.streams["text"]["vocabulary"] == "words.txt"
    assert changed.task_options == {"flip": True}


def test_settings_leave_the_first_recipe_alone(recipe: Make) -> None:
    made = recipe()
    made.with_settings(["training.lr=1.0", "data.options.count=1"])
    assert made.training.lr == 0.01
    assert made.data.options["count"] == 200


def test_tiny_overrides_single_keys(recipe: Make) -> None:
    tiny = recipe().tiny()
    assert tiny.data.options == {"count": 20, "extra": True}
    assert (tiny.training.epochs, tiny.training.batch_size) == (1, 16)
    assert "tiny" not in tiny.raw


def test_another_source_in_tiny_drops_the_old_ones_options(recipe: Make) -> None:
    tiny = recipe("tiny.data.source=gqa", "tiny.data.options.boxes=true").with_settings(["tiny.data.options={}"]).tiny()
    assert (tiny.data.source, tiny.data.options) == ("gqa", {})


def test_toml_is_read_back_as_the_same_recipe(recipe: Make) -> None:
    made = recipe("training.lr=3e-4")
    assert Recipe.from_toml(made.to_toml()) == made


def test_a_stream_can_be_left_out(recipe: Make) -> None:
    assert recipe().without("text").streams == {}
    with pytest.raises(RecipeError, match="did you mean 'text'"):
        recipe().without("txt")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.epoch=3", "training: unknown key 'epoch'; did you mean 'epochs'"),
        ("training.lr=fast", r"training.lr: expected a number, got 'fast' \(text\)"),
        ("training.lr=-1.0", "training.lr: must be above 0, got -1.0"),
        ("training.warmup=1.0", "training.warmup: must be a share"),
        ("training.schedule=linar", "training.schedule: unknown value 'linar'; did you mean 'linear'"),
        ("training.optimizer=adam", "unknown optimizer 'adam'; did you mean 'adamw'"),
        ("training.procedure=ordinry", "unknown procedure 'ordinry'; did you mean 'ordinary'"),
        ("training.optimizer_options.momentum=0.9", "training.optimizer_options: unknown key 'momentum'"),
        ("options.hidden=3", "options: unknown key 'hidden'; did you mean 'hidden_size'"),
        ("options.hidden_size=big", "options.hidden_size: expected a whole number, got 'big'"),
        ("model=word_bg", "unknown model 'word_bg'; did you mean 'word_bag'"),
        ("task=twoway", "unknown task 'twoway'; did you mean 'two_way'"),
        ("task.flop=true", "task: unknown key 'flop'; did you mean 'flip'"),
        ("data.source=word_pair", "unknown data source 'word_pair'; did you mean 'word_pairs'"),
        ("data.trian=1", "data: unknown key 'trian'; did you mean 'train'"),
        ("data.train=all", "data.train: expected a list of text, got 'all'"),
        ("data.options.counts=1", "data.options: unknown key 'counts'; did you mean 'count'"),
        ("text.vocabulry=a", "text: unknown key 'vocabulry'; did you mean 'vocabulary'"),
        ("txet.vocabulary=a", "unknown section 'txet'; did you mean 'text'"),
        ("training=3", "training: expected a table"),
        ("trainig=3", "unknown key 'trainig'; did you mean 'training'"),
        ("tiny.trainig.epochs=3", "tiny: unknown section 'trainig'; did you mean 'training'"),
    ],
)
def test_a_mistake_is_refused_by_its_name(recipe: Make, setting: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"recipe 'small': .*{message}"):
        recipe(setting)


@pytest.mark.parametrize("setting", ["training.lr", "=3", "training..lr=3"])
def test_a_setting_that_is_none_is_refused(recipe: Make, setting: str) -> None:
    with pytest.raises(RecipeError, match=r"expected section\.key=value"):
        recipe(setting)


@pytest.mark.parametrize("key", ["model", "task", "data"])
def test_what_every_recipe_needs_is_asked_for(recipe: Make, key: str) -> None:
    raw = {k: v for k, v in recipe().raw.items() if k != key}
    with pytest.raises(RecipeError, match=f"missing {key}"):
        Recipe(raw)


def test_a_broken_file_is_refused() -> None:
    with pytest.raises(RecipeError, match="recipe 'x' is not valid TOML"):
        Recipe.from_toml("model = ", name="x")


def test_a_recipe_is_loaded_by_path(recipe: Make, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(recipe().to_toml().replace('name = "small"\n', ""), encoding="utf-8")
    assert load_recipe(path).name == "mine"
    with pytest.raises(RecipeError, match="there is no recipe file"):
        load_recipe(tmp_path / "other.toml")


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(UnknownName, match="unknown recipe 'dmo'"):
        load_recipe("dmo")


def test_the_identity_ignores_what_a_run_does_not_depend_on(recipe: Make) -> None:
    assert recipe("paper.accuracy=1.0", "title=other", "tiny.training.epochs=2").identity() == recipe().identity()
    assert recipe("training.lr=1.0").identity() != recipe().identity()
