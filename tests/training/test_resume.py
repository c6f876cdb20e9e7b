"""Resume: the same weights bit for bit after any kill; nothing is lost at Ctrl-C."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from chiasm.training import loop as loop_file
from chiasm.training.errors import CheckpointError, Interrupted, TrainingError
from chiasm.training.loop import Loop
from chiasm.training.recipe import Recipe
from chiasm.training.resume import _check_identity
from chiasm.training.run import train
from chiasm.training.setup import Setup

HERE = Path(__file__).parent
Make = Callable[..., Recipe]
EXACT = ("training.kernel=default", "training.save_every_steps=7", "training.keep_best=false")


def python(script: str, *arguments: str | Path, **options: str) -> subprocess.Popen[str]:
    """A test script in a process of its own, on one thread."""
    paths = os.pathsep.join([str(HERE.parent.parent), str(HERE)])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, **options}
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def written(recipe: Recipe, folder: Path) -> Path:
    path = folder / "small.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    return path


def same_files(first: Path, second: Path) -> bool:
    one, other = load_file(first / "bundle/model.safetensors"), load_file(second / "bundle/model.safetensors")
    return all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())


def log_without_times(out: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def kills() -> list[int]:
    """Random steps of 39, and (negative) one in the middle of a checkpoint; printed when a test fails."""
    early = sorted(random.sample(range(2, 21), 2))
    saved = 7 * (early[1] // 7 + 1)
    chosen = [*early, -saved, random.randrange(saved + 1, 39)]
    print("killed at", chosen)
    return chosen


def test_a_killed_run_ends_with_the_same_weights_bit_for_bit(recipe: Make, tmp_path: Path, kills: list[int]) -> None:
    made = recipe(*EXACT)
    train(made, data=tmp_path, out=tmp_path / "whole", show=False)
    process = python("run_killed.py", written(made, tmp_path), tmp_path / "killed", ",".join(map(str, kills)))
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    assert same_files(tmp_path / "whole", tmp_path / "killed")
    assert log_without_times(tmp_path / "whole") == log_without_times(tmp_path / "killed")


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ctrl-C while that step is under way."""
    original = Loop._step

    def stepped(loop: Loop, parts: object) -> None:
        if loop.state.step == step - 1:
            os.kill(os.getpid(), signal.SIGINT)
        original(loop, parts)  # type: ignore[arg-type]

    monkeypatch.setattr(Loop, "_step", stepped)


@pytest.mark.parametrize("step", [1, 13, 20, 38])
def test_ctrl_c_finishes_the_step_saves_and_says_how_to_resume(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    made, before = recipe(*EXACT), signal.getsignal(signal.SIGINT)  # ignored where the tests run in the background
    train(made, data=tmp_path, out=tmp_path / "whole", show=False)
    with monkeypatch.context() as patched:
        stop_at(patched, step)
        with pytest.raises(Interrupted, match=rf"stopped after step {step} of 39; saved in .*--resume"):
            train(made, data=tmp_path, out=tmp_path / "stopped", show=False)
    assert signal.getsignal(signal.SIGINT) is before
    result = train(made, data=tmp_path, out=tmp_path / "stopped", resume=True, show=False)
    assert same_files(tmp_path / "whole", result.out)


@pytest.mark.parametrize("number", [1, 3])
def test_ctrl_c_in_a_validation_stops_after_it_and_the_rest_is_the_same_bit_for_bit(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Of three, the last of which ends the run: nothing but the measuring of the whole would follow."""
    made, real, calls = recipe("training.kernel=default"), loop_file.validate, iter(range(1, 100))
    whole = train(made, data=tmp_path, out=tmp_path / "whole", show=False)

    def validate(setup: Setup) -> Mapping[str, float]:
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGINT)
        return real(setup)

    monkeypatch.setattr(loop_file, "validate", validate)
    with pytest.raises(Interrupted, match=rf"stopped after step {13 * number} of 39; saved in .*--resume"):
        train(made, data=tmp_path, out=tmp_path / "stopped", show=False)
    assert not (tmp_path / "stopped/bundle").exists()
    result = train(made, data=tmp_path, out=tmp_path / "stopped", resume=True, show=False)
    assert same_files(tmp_path / "whole", result.out)
    assert result.metrics == whole.metrics
    assert log_without_times(tmp_path / "whole") == log_without_times(tmp_path / "stopped")


def test_an_interrupted_process_ends_with_130(recipe: Make, tmp_path: Path) -> None:
    path = written(recipe(*EXACT, "training.epochs=100000", "training.evaluate_limit=10"), tmp_path)
    process = python("run_small.py", path, tmp_path / "out")
    deadline = time.monotonic() + 60
    log = tmp_path / "out/log.jsonl"
    while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 130, errors
    assert "stopped after step" in errors
    assert "Traceback" not in errors


def test_a_changed_recipe_is_refused_naming_the_keys(recipe: Make, tmp_path: Path) -> None:
    train(recipe(), data=tmp_path, out=tmp_path / "out", show=False)
    changed = recipe("training.lr=0.5", "options.hidden_size=8", "title=other")
    message = r"options.hidden_size: 8, was 16; training.lr: 0.5, was 0.01\)"
    with pytest.raises(CheckpointError, match=message):
        train(changed, data=tmp_path, out=tmp_path / "out", resume=True, show=False)


def test_other_data_are_refused(recipe: Make, tmp_path: Path) -> None:
    from chiasm.data.sources import source

    read = source("word_pairs").read
    splits = {name: read(tmp_path, name) for name in ("train", "validation")}
    train(recipe(), data=splits, out=tmp_path / "out", show=False)
    with pytest.raises(CheckpointError, match="examples: "):
        train(recipe(), data={**splits, "train": splits["train"][1:]}, out=tmp_path / "out", resume=True, show=False)


def test_other_answers_to_the_same_rows_are_refused(recipe: Make, tmp_path: Path) -> None:
    from chiasm.data.sources import source

    splits = {name: source("word_pairs").read(tmp_path, name) for name in ("train", "validation")}
    train(recipe(), data=splits, out=tmp_path / "out", show=False)
    swapped = [replace(e, values={**e.values, "answer": not e.values["answer"]}) for e in splits["train"]]
    with pytest.raises(CheckpointError, match=r"\(contents: "):
        train(recipe(), data={**splits, "train": swapped}, out=tmp_path / "out", resume=True, show=False)


def test_a_checkpoint_that_does_not_know_what_its_rows_said_is_resumed_with_a_warning() -> None:
    now = {"training.lr": 0.1, "examples": "1", "contents": "2"}
    with pytest.warns(UserWarning, match="make sure that the data are the same"):
        _check_identity(now, {"training.lr": 0.1, "examples": "1"})
    with pytest.raises(CheckpointError, match="contents: 2, was 3"):
        _check_identity(now, {**now, "contents": "3"})


def test_another_number_of_threads_is_warned_of(recipe: Make, tmp_path: Path) -> None:
    train(recipe(), data=tmp_path, out=tmp_path / "out", show=False)
    torch.set_num_threads(2)
    with pytest.warns(UserWarning, match=r"threads 2, was 1.*not bit for bit"):
        train(recipe(), data=tmp_path, out=tmp_path / "out", resume=True, show=False)


def test_resuming_a_finished_run_gives_the_same_result(recipe: Make, tmp_path: Path) -> None:
    first = train(recipe(), data=tmp_path, out=tmp_path / "out", show=False)
    again = train(recipe(), data=tmp_path, out=tmp_path / "out", resume=True, show=False)
    assert again.outcome.steps == first.outcome.steps
    assert again.metrics == first.metrics


def test_resuming_nothing_starts(recipe: Make, tmp_path: Path) -> None:
    assert train(recipe(), data=tmp_path, out=tmp_path / "out", resume=True, show=False).outcome.steps == 39


def test_a_folder_that_holds_a_run_is_not_overwritten_unasked(recipe: Make, tmp_path: Path) -> None:
    train(recipe(), data=tmp_path, out=tmp_path / "out", show=False)
    with pytest.raises(TrainingError, match=r"holds a run already .*--resume.*--overwrite.*--out"):
        train(recipe(), data=tmp_path, out=tmp_path / "out", show=False)
    train(recipe("training.epochs=1"), data=tmp_path, out=tmp_path / "out", overwrite=True, show=False)
