"""Everything on a generated world, in minutes: train, measure, explain, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chiasm.cli._inputs import changed_recipe


def command(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the demonstration goes.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Of the training; the same seed gives the same numbers.")] = 0,
    scenes: Annotated[
        int | None, typer.Option(min=1, help="Training scenes of the generated world.  [default: the recipe's]")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="Training time at most; fewer give a worse model.  [default: the recipe's]"),
    ] = None,
    long: Annotated[
        bool, typer.Option("--long", help="The recipe demo_long: up to 40 minutes, better on every question type.")
    ] = False,
    examples: Annotated[int, typer.Option(min=0, help="Explained examples in the report.")] = 8,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a key of the recipe.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where Ctrl-C stopped it.")] = False,
) -> None:
    """Everything on a generated world, in minutes: train, measure, explain, report.

    Generates scenes and questions (no network is used), trains a small LXMERT, and measures it on held-out scenes
    with combinations of colour and shape never seen in training, beside the same model without a picture, the
    majority answer, and the same model with the pictures shuffled among the questions.

    In --out: report.html, metrics.json, bundle/ (the model for use).

    \b
    Examples:
      chiasm demo
      chiasm demo --out runs/quick --scenes 2000 --seconds 60
      chiasm demo --long --out runs/demo_long
      chiasm predict runs/demo/bundle --image scene.png --text "is there a red cube?"
    """
    from chiasm.cli._demo import run_demo
    from chiasm.cli._show import show_table, written

    changes = [f"training.seed={seed}"]
    changes += [f"data.world.scenes={scenes}"] if scenes is not None else []
    changes += [f"training.max_seconds={float(seconds)}"] if seconds is not None else []
    recipe = changed_recipe("demo_long" if long else "demo", [*changes, *(settings or [])])
    _refuse_another_run(out)
    demo = run_demo(recipe, out, examples=examples, resume=resume)
    show_table(demo.table())
    written(out / "report.html", out / "metrics.json", out / "bundle")


def _refuse_another_run(out: Path) -> None:
    """A former demonstration is replaced; another run is not. Raises FileExistsError."""
    import tomllib

    recipe = out / "recipe.toml"
    if recipe.exists() and tomllib.loads(recipe.read_text(encoding="utf-8")).get("name") not in ("demo", "demo_long"):
        raise FileExistsError(f"{out} holds another run; choose another folder with --out")
