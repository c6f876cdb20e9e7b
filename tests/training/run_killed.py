"""Trains with kills: `run_killed.py RECIPE OUT STEP,STEP,...`.

Each step number ends one sitting with SIGKILL: after that many steps in all, or, for a negative one, in the middle of
writing the checkpoint of that step. The last sitting runs to the end. Every sitting is a forked process of its own.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import plugins
import torch

from chiasm.training import checkpoint
from chiasm.training.loop import Loop
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train


def die_after(step: int) -> None:
    """Kill this process once `step` steps are done."""
    agree = Loop._agree

    def killed(loop: Loop, now: float) -> None:
        agree(loop, now)
        if loop.state.step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    Loop._agree = killed  # type: ignore[method-assign]


def die_while_saving(step: int) -> None:
    """Kill this process when the optimiser's part of the checkpoint of `step` is half written."""
    write = checkpoint.save_file

    def killed(tensors: dict[str, torch.Tensor], path: Path) -> None:
        write(tensors, path)
        if path.stem == "optimiser" and f"{step:08d}" in str(path):
            path.write_bytes(path.read_bytes()[:100])
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.save_file = killed


def sitting(recipe: str, out: str, kill: int | None) -> int:
    """One process; its exit status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    if kill is not None:
        die_after(kill) if kill > 0 else die_while_saving(-kill)
    train(load_recipe(recipe), data=Path(recipe).parent, out=out, resume=True, show=False)
    os._exit(0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    plugins.install()
    recipe, out, kills = sys.argv[1:]
    train(load_recipe(recipe).tiny(), data=Path(recipe).parent, out=f"{out}-first", show=False)  # imports everything
    for kill in [int(step) for step in kills.split(",")]:
        assert sitting(recipe, out, kill) == signal.SIGKILL, f"step {kill} did not kill"
    assert sitting(recipe, out, None) == 0
