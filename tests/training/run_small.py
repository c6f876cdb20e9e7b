"""Trains a small recipe in a process of its own: `run_small.py RECIPE OUT [--resume]`."""

from __future__ import annotations

import sys
from pathlib import Path

import plugins
import torch

from chiasm.training.errors import Interrupted
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train

if __name__ == "__main__":
    torch.set_num_threads(1)
    plugins.install()
    recipe, out, *flags = sys.argv[1:]
    try:
        train(load_recipe(recipe), data=Path(recipe).parent, out=out, resume="--resume" in flags, show=True)
    except Interrupted as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(stopped.exit_code)
