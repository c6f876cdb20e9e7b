"""Two processes on the CPU give one process's result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file

from chiasm.training.recipe import Recipe
from chiasm.training.run import train

HERE = Path(__file__).parent


def launch(recipe: Path, out: Path, processes: int) -> None:
    """`accelerate launch` of the small training. Without mpirun it starts several CPU processes this way only."""
    paths = os.pathsep.join([str(HERE.parent.parent), str(HERE)])
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes)]
    plain = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    command = [*launcher, *plain, str(HERE / "run_small.py"), str(recipe), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_two_processes_give_the_result_of_one(recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    """Also with odd batches (15), an odd last one (5), and accumulation."""
    settings = ("options.dropout=0.0", "training.batch_size=15", "training.accumulate=2", "training.kernel=default")
    settings = (*settings, "training.save_every_steps=7")  # not where the processes agree, every ten steps
    made = recipe(*settings)
    path = tmp_path / "small.toml"
    path.write_text(made.to_toml(), encoding="utf-8")
    train(made, data=tmp_path, out=tmp_path / "one", show=False)
    launch(path, tmp_path / "two", 2)
    state = json.loads(next((tmp_path / "two/checkpoints").glob("step-*/state.json")).read_text(encoding="utf-8"))
    assert state["machine"]["processes"] == 2
    one, two = (load_file(tmp_path / name / "bundle/model.safetensors") for name in ("one", "two"))
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-5)
    logs = [(tmp_path / name / "log.jsonl").read_text(encoding="utf-8").splitlines() for name in ("one", "two")]
    for first, second in zip(*[[json.loads(line) for line in log] for log in logs], strict=True):
        assert first["step"] == second["step"]
        assert abs(first.get("loss", 0) - second.get("loss", 0)) < 1e-4
