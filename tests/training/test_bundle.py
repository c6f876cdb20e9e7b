"""Bundles: saved and loaded bit-equal; anything missing, altered or foreign is refused by its name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from chiasm.metrics.estimate import share
from chiasm.training import bundle as bundle_file
from chiasm.training.bundle import Bundle, BundleError, build_model, model_config
from chiasm.training.errors import RecipeError
from chiasm.training.files import sha256
from chiasm.training.predict import predict
from chiasm.training.recipe import Recipe
from chiasm.training.run import RunResult, train

Make = Callable[..., Recipe]


@pytest.fixture
def result(recipe: Make, tmp_path: Path) -> RunResult:
    return train(recipe("training.epochs=1"), data=tmp_path, out=tmp_path / "out", show=False)


@pytest.fixture
def folder(result: RunResult) -> Path:
    return result.out / "bundle"


def manifest(folder: Path, **changes: str | None) -> None:
    """Change entries of the manifest; None removes one."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["files"].update(changes)
    content["files"] = {name: sum_ for name, sum_ in content["files"].items() if sum_ is not None}
    path.write_text(json.dumps(content), encoding="utf-8")


def test_a_loaded_bundle_answers_bit_equally(result: RunResult, folder: Path) -> None:
    loaded = Bundle.load(folder)
    for name, tensor in result.bundle.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor)
    examples = result.splits["test"].examples
    again = predict(loaded.model, loaded.task, loaded.dataset(examples))
    assert again == list(result.predictions["test"])


def test_a_bundle_can_be_moved(folder: Path, tmp_path: Path) -> None:
    moved = shutil.move(folder, tmp_path / "elsewhere")
    assert Bundle.load(moved).recipe.name == "small"


def test_a_loaded_bundle_is_saved_again_as_the_same(folder: Path, tmp_path: Path) -> None:
    Bundle.load(folder).save(tmp_path / "copy")
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(tmp_path / "copy") for p in (tmp_path / "copy").rglob("*") if p.is_file())
    assert all(sha256(folder / name) == sha256(tmp_path / "copy" / name) for name in files)


def test_loading_draws_no_random_numbers_and_evaluates(folder: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert not Bundle.load(folder).model.training
    assert torch.equal(torch.rand(1), expected)


def test_there_is_no_pickle_in_it(folder: Path) -> None:
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert suffixes == {".safetensors", ".json", ".toml"}


def test_it_says_how_it_was_made(folder: Path) -> None:
    loaded = Bundle.load(folder)
    assert loaded.environment["seed"] == 0
    assert loaded.environment["packages"]["torch"] == torch.__version__
    assert set(loaded.metrics["metrics"]) == {"validation", "test"}


def test_targets_come_when_asked_for(result: RunResult) -> None:
    examples = result.splits["test"].examples
    assert not result.bundle.dataset(examples).targets
    assert set(result.bundle.dataset(examples, with_targets=True).targets) == {"answer"}


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "recipe.toml", "task/task.json", "preprocessing/text/tokenizer.json"]
)
def test_a_missing_or_altered_file_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + b"x")
    with pytest.raises(BundleError, match=f"the file {name} was altered"):
        Bundle.load(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"the file {name} is missing"):
        Bundle.load(folder)


def test_a_foreign_file_is_named(folder: Path) -> None:
    (folder / "task" / "more.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match=r"the file task/more.json is not in the manifest"):
        Bundle.load(folder)


@pytest.mark.parametrize("name", ["../secret.json", "/etc/hostname", "task/../../secret.json"])
def test_a_path_out_of_the_bundle_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "secret.json").write_text("{}", encoding="utf-8")
    manifest(folder, **{name: "0"})
    with pytest.raises(BundleError, match="is not inside the bundle"):
        Bundle.load(folder)


def test_a_link_out_of_the_bundle_is_refused(folder: Path, tmp_path: Path) -> None:
    path = folder / "task" / "task.json"
    outside = tmp_path / "outside.json"
    shutil.copy(path, outside)
    path.unlink()
    path.symlink_to(outside)
    with pytest.raises(BundleError, match=r"task/task.json is a link out of the bundle"):
        Bundle.load(folder)


def test_a_folder_that_is_no_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is not a bundle: it has no manifest.json"):
        Bundle.load(tmp_path)


def test_another_format_is_told(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"format": 99, "files": {}}', encoding="utf-8")
    with pytest.raises(BundleError, match="has bundle format 99; this version reads 1"):
        Bundle.load(folder)


def test_weights_that_do_not_fit_are_named(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["config"]["hidden_size"] = 8
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    manifest(folder, **{"config.json": sha256(folder / "config.json")})
    with pytest.raises(BundleError, match=r"does not fit the model: 4 tensors differ, e.g. first.bias: \(16,\)"):
        Bundle.load(folder)


def test_an_unknown_model_is_told(folder: Path) -> None:
    text = (folder / "config.json").read_text(encoding="utf-8").replace("word_bag", "word_bags")
    (folder / "config.json").write_text(text, encoding="utf-8")
    manifest(folder, **{"config.json": sha256(folder / "config.json")})
    with pytest.raises(BundleError, match="unknown model 'word_bags'; did you mean 'word_bag'"):
        Bundle.load(folder)


def test_a_failed_save_leaves_the_former_bundle(
    result: RunResult, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: object, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle_file, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        result.bundle.save(folder)
    assert Bundle.load(folder).recipe.name == "small"
    assert sorted(path.name for path in folder.parent.iterdir() if "bundle" in path.name) == ["bundle"]


def test_a_bundle_is_found_after_a_kill_between_the_renamings_of_saving_it_again(folder: Path) -> None:
    folder.rename(folder.with_name("bundle.old"))
    assert Bundle.load(folder).recipe.name == "small"


def test_an_undefined_number_of_a_bundle_is_null_in_its_file(result: RunResult, folder: Path) -> None:
    replace(result.bundle, metrics={"metrics": {"test": {"auc": share(0, 0)}}}).save(folder)
    text = (folder / "metrics.json").read_text(encoding="utf-8")
    assert strict(text)["metrics"]["test"]["auc"] == {"value": None, "low": 0.0, "high": 1.0, "n": 0}


def strict(text: str) -> Any:
    """JSON as other programs read it, which know no NaN."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_an_option_that_contradicts_the_data_is_refused(recipe: Make, result: RunResult) -> None:
    made = recipe("options.vocab_size=7")
    with pytest.raises(RecipeError, match=r"options.vocab_size is 7, but the data says 9; leave it out"):
        build_model(made, {"vocab_size": 9, "num_labels": 2}, result.bundle.task)


def test_facts_fill_the_config_and_unknown_ones_are_ignored(recipe: Make) -> None:
    config = model_config(recipe(), {"vocab_size": 9, "feature_size": 3})
    assert (config.vocab_size, config.hidden_size) == (9, 16)
    with pytest.raises(RecipeError, match="vocab_size"):
        model_config(recipe(), {})
