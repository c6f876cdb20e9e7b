"""Train a recipe on every fold of its rows: mean and interval."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chiasm.cli._inputs import Data, RecipeName, Settings, changed_recipe


def command(
    recipe: RecipeName,
    data: Data = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder; runs/RECIPE-folds by default.")] = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="How many.")] = 4,
    seed: Annotated[int, typer.Option("--seed", help="Of the division into folds.")] = 5,
    settings: Settings = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the folds in --out stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over former runs in the folder.")] = False,
) -> None:
    """Train and test a recipe on every fold of its rows; the mean of each metric, with its spread over the folds.

    \b
    Examples:
      chiasm folds text_tabular_clothing_small --data clothing_reviews
      chiasm folds text_tabular_petfinder_small --data petfinder --set options.combine=attention --folds 5
    """
    from chiasm.training.folds import cross_validate

    chosen = changed_recipe(recipe, settings or [])
    folder = out or Path("runs") / f"{chosen.name}-folds"
    found = cross_validate(chosen, data, folder, folds=folds, seed=seed, resume=resume, overwrite=overwrite)
    if data is None:
        print("numbers on the generated world: a test bed, not a result")
    for name, estimate in found.metrics.items():
        if "/" not in name:
            print(f"{name:<20} {estimate.value:.4f}  ({estimate.low:.4f} to {estimate.high:.4f})")
    print(f"{found.seconds_per_epoch:.1f} s per epoch, at most {found.peak_bytes / 2**20:.0f} MB held")
    print(f"written: {folder / 'folds.json'}")
