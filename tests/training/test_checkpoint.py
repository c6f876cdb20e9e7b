"""Checkpoints: complete or not at all, and everything in them comes back."""

from __future__ import annotations

import errno
import random
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from chiasm.training import checkpoint
from chiasm.training.checkpoint import (
    Checkpoints,
    Snapshot,
    load_module,
    load_optimiser,
    load_random,
    module_tensors,
    optimiser_tensors,
    random_tensors,
)
from chiasm.training.errors import CheckpointError
from chiasm.training.optimisers import optimiser


def snapshot(step: int) -> Snapshot:
    return Snapshot(step, {"model": {"weight": torch.full((3,), float(step))}}, {"seconds": 0.1 + step})


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(snapshot(7))
    loaded = checkpoints.load()
    assert loaded is not None
    assert (loaded.step, loaded.state["seconds"]) == (7, 7.1)
    assert loaded.tensors["model"]["weight"].tolist() == [7.0] * 3


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "nothing").load() is None


def test_only_the_newest_of_each_kind_is_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        Checkpoints(tmp_path).save(snapshot(step))
    Checkpoints(tmp_path, "best").save(snapshot(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best-00000002", "step-00000010"]


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(snapshot(1))

    def full(tensors: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(CheckpointError, match=r"No space left on device; the previous one \(step-00000001\) is intact"):
        checkpoints.save(snapshot(2))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    loaded = checkpoints.load()
    assert loaded is not None
    assert loaded.step == 1


def second_renaming_fails(monkeypatch: pytest.MonkeyPatch, *, and_kills: bool = False) -> None:
    """A full disk when the new folder takes its place; or the end of the process there, which puts nothing back."""
    rename = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        if path.suffix == ".partial" or (and_kills and path.suffix == ".old"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)


def test_saving_a_step_again_on_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(snapshot(10))
    second_renaming_fails(monkeypatch)
    with pytest.raises(CheckpointError, match=r"No space left on device; the previous one \(step-00000010\) is intact"):
        checkpoints.save(snapshot(10))
    loaded = checkpoints.load()
    assert loaded is not None
    assert loaded.step == 10
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000010"]


def killed_while_saving_again(folder: Path, step: int) -> Checkpoints:
    """The checkpoints after a kill between the two renamings of saving a step for the second time."""
    checkpoints = Checkpoints(folder)
    checkpoints.save(snapshot(step))
    with pytest.MonkeyPatch.context() as patched:
        second_renaming_fails(patched, and_kills=True)
        with pytest.raises(CheckpointError):
            checkpoints.save(snapshot(step))
    assert [path.name for path in folder.iterdir()] == [f"step-{step:08d}.old"]
    return checkpoints


def test_a_kill_between_the_renamings_of_the_same_step_loses_nothing(tmp_path: Path) -> None:
    loaded = killed_while_saving_again(tmp_path, 10).load()
    assert loaded is not None
    assert (loaded.step, loaded.tensors["model"]["weight"].tolist()) == (10, [10.0] * 3)


@pytest.mark.parametrize("following", [10, 20])
def test_after_such_a_kill_the_next_save_leaves_nothing_behind(tmp_path: Path, following: int) -> None:
    killed_while_saving_again(tmp_path, 10).save(snapshot(following))
    assert [path.name for path in tmp_path.iterdir()] == [f"step-{following:08d}"]


def test_a_former_checkpoint_beside_its_newer_self_never_comes_back(tmp_path: Path) -> None:
    """A kill after the second renaming leaves both; what is deleted later is deleted whole."""
    checkpoints = Checkpoints(tmp_path)
    shutil.copytree(checkpoints.save(snapshot(10)), tmp_path / "step-00000010.old")
    checkpoints.save(snapshot(20))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000020"]
    checkpoints.clear()
    assert checkpoints.load() is None


def test_a_half_written_checkpoint_is_not_seen(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(snapshot(1))
    (tmp_path / "step-00000002.partial").mkdir()
    loaded = checkpoints.load()
    assert loaded is not None
    assert loaded.step == 1


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    path = checkpoints.save(snapshot(1))
    (path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"cannot read the checkpoint .*step-00000001"):
        checkpoints.load()


def test_weights_of_another_shape_are_refused_by_name() -> None:
    with pytest.raises(CheckpointError, match=r"2 tensors differ, e.g. bias: \(3,\) instead of \(2,\)"):
        load_module(nn.Linear(4, 2), module_tensors(nn.Linear(4, 3)), "it")


def test_a_missing_tensor_is_refused_by_name() -> None:
    tensors = module_tensors(nn.Linear(4, 2))
    del tensors["bias"]
    with pytest.raises(CheckpointError, match=r"bias: missing instead of \(2,\)"):
        load_module(nn.Linear(4, 2), tensors, "it")


def test_tied_weights_are_saved_once_and_loaded_into_both() -> None:
    def tied() -> nn.Sequential:
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        model[1].weight = model[0].weight
        return model

    first, second = tied(), tied()
    assert "1.weight" not in module_tensors(first)
    load_module(second, module_tensors(first), "it")
    assert torch.equal(second[1].weight, first[0].weight)
    assert second[1].weight is second[0].weight


@pytest.mark.parametrize("name", ["adamw", "bert_adam", "sgd"])
def test_an_optimiser_goes_on_as_if_it_had_not_stopped(name: str) -> None:
    def train(model: nn.Module, built: torch.optim.Optimizer, times: int) -> None:
        for _ in range(times):
            built.zero_grad()
            model(torch.ones(2, 3)).square().sum().backward()
            built.step()

    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    built = optimiser(name).build(model.named_parameters(), 0.01, 0.1)
    train(model, built, 3)
    copy = nn.Linear(3, 2)
    copied = optimiser(name).build(copy.named_parameters(), 0.5, 0.3)
    load_module(copy, module_tensors(model), "it")
    tensors, plain = optimiser_tensors(built)
    load_optimiser(copied, {key: tensor.clone() for key, tensor in tensors.items()}, plain)
    train(model, built, 3)
    train(copy, copied, 3)
    assert torch.equal(model.weight, copy.weight)
    assert torch.equal(model.bias, copy.bias)


def test_random_numbers_go_on_as_if_they_had_not_stopped() -> None:
    random.gauss(0, 1)  # leaves a spare number behind
    np.random.normal()  # noqa: NPY002
    states = random_tensors()

    def draw() -> list[float]:
        drawn = [random.gauss(0, 1), random.random(), *np.random.normal(size=3)]  # noqa: NPY002
        return [*drawn, *torch.rand(3).tolist(), *torch.randn(17).tolist()]

    first = draw()
    load_random(states)
    assert draw() == first


def test_a_write_that_really_fails_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    """The operating system refuses the file in the middle of writing it."""
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(snapshot(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(CheckpointError, match=r"cannot write the checkpoint .*step-00000001\) is intact"):
            checkpoints.save(Snapshot(2, {"model": {"weight": torch.zeros(1 << 20)}}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
