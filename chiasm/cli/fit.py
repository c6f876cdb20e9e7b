"""Learn a column of your rows from the others: text, numbers, categories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chiasm.cli._inputs import OnError, Settings


def command(
    rows: Annotated[Path, typer.Argument(metavar="FILE", help="Rows: .csv, .tsv, .jsonl, .json or .parquet.")],
    target: Annotated[str, typer.Option(metavar="COLUMN", help="The column to learn.")],
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="COLUMN=ROLE", help="text, number, category or ignore; else guessed."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the run goes.")] = Path("runs/fit"),
    settings: Settings = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that is already in --out.")] = False,
    on_error: Annotated[OnError, typer.Option(help="Bad rows: stop and name them, or leave them out.")] = OnError.stop,
) -> None:
    """Learn a column of your rows from the others: text, numbers, categories.

    What each column is is guessed and shown. A share of the rows is held out and measured; --out gets metrics.json
    and bundle/, which answers new rows: chiasm predict runs/fit/bundle --rows new.csv

    \b
    Examples:
      chiasm fit reviews.csv --target recommended
      chiasm fit pets.csv --target speed --column breed=category --column tag=ignore --set options.combine=attention
    """
    from chiasm.cli._show import show_metrics, written
    from chiasm.training.fit import fit

    pairs = [one.partition("=") for one in column or []]
    bad = [name for name, equals, _ in pairs if not equals]
    if bad:
        raise typer.BadParameter(f"--column {bad[0]}: expected COLUMN=ROLE, e.g. breed=category")
    result = fit(
        rows,
        target,
        columns={name: role for name, _, role in pairs},
        settings=settings or (),
        out=out,
        overwrite=overwrite,
        on_error=on_error.value,
    )
    for split, measured in result.metrics.items():
        show_metrics(measured, title=split)
    written(out / "metrics.json")
