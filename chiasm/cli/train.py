"""Train a recipe on your data, measure it, and leave a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chiasm.cli._inputs import Data, OnError, RecipeName, Settings, changed_recipe, show_guesses


def command(
    recipe: RecipeName,
    data: Data = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the run goes.  [default: runs/<recipe>]")
    ] = None,
    settings: Settings = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set training.seed=N.  [default: the recipe's]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on exactly where the run in --out stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that is already in --out.")] = False,
    on_error: Annotated[
        OnError, typer.Option(help="Rows that cannot be used: stop and name them, or leave them out and name them.")
    ] = OnError.stop,
) -> None:
    """Train a recipe on your data, measure it, and leave a bundle.

    In --out: metrics.json (every split, with 95 % intervals), bundle/ (the model for use), predictions/,
    log.jsonl, logs/ (TensorBoard), checkpoints/. Ctrl-C finishes the step, saves, and says how to go on.

    \b
    Examples:
      chiasm train demo
      chiasm train lxmert_gqa --data GQA --out runs/gqa
      chiasm train demo --set options.hidden_size=256 --set training.lr=1e-4 --out runs/wider
      chiasm train lxmert_rows --data rows.csv --on-error skip
      chiasm train lxmert_gqa --data GQA --out runs/gqa --resume
      accelerate launch --num_processes 2 -m chiasm train lxmert_gqa --data GQA
    """
    from accelerate import PartialState

    from chiasm.cli._show import show_metrics, written
    from chiasm.training.run import train

    changes = list(settings or [])
    if seed is not None:
        changes.append(f"training.seed={seed}")
    chosen = changed_recipe(recipe, changes)
    show_guesses(chosen, data)
    result = train(chosen, data, out, resume, overwrite=overwrite, on_error=on_error.value)
    if not PartialState().is_main_process:
        return
    for row in result.skipped:
        print(f"left out: {row}")
    for split, metrics in result.metrics.items():
        title = f"{chosen.name}, {split}{', on the generated world' if data is None else ''}"
        show_metrics(metrics, title, notes=result.bundle.task.notes())
    written(result.out / "metrics.json", result.out / "bundle")
