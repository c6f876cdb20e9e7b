"""Say what a folder of data is, what it lacks for which recipe, and what would be learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chiasm.cli._inputs import Data, OnError, RecipeName, Settings, changed_recipe, show_guesses


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder, or a file of rows.")],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The page with examples; beside it the same as .json.")
    ] = Path("runs/data_check.html"),
) -> None:
    """Say what a folder of data is: VQA v2, GQA, NLVR2, VCR, COCO captions, ...

    Every known kind of data set is tried. What can be read is counted, with three examples and their pictures on a
    page; what is missing is named, with the recipes that need it.

    \b
    Examples:
      chiasm data check GQA
      chiasm data check downloads/vqa --out vqa.html
    """
    from chiasm.cli._show import write_json, written
    from chiasm.report.data_check import render_check
    from chiasm.report.page import write_page
    from chiasm.training.data_check import check as look
    from chiasm.training.data_check import plain

    checked = look(folder)
    for found in checked.found:
        print(f"{found.source}:")
        for split in found.splits:
            lacking = f", {split.images_missing:,} of them not there" if split.images_missing else ""
            answers = "" if split.answered == split.examples else f", {split.answered:,} with an answer"
            print(f"  {split.name}: {split.examples:,} examples{answers}, {split.images:,} images{lacking}")
        for name, reason in found.options.items():
            print(f"  option {name}: {reason or 'its files are there'}")
        ready = [name for name, reason in found.recipes.items() if not reason]
        print(f"  recipes that can be trained: {', '.join(ready) or 'none'}")
        for name, reason in found.recipes.items():
            if reason:
                print(f"  {name} lacks: {reason}")
    for hint in checked.hints:
        print(f"this looks like {hint}")
    if not checked.found and not checked.hints:
        print("nothing in it is known")
    write_page(render_check(checked), out)
    written(out)
    write_json(plain(checked), out.with_suffix(".json"))


def sources(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this one.")] = None,
) -> None:
    """List the kinds of data sets that can be read, their splits, and the files that each needs.

    \b
    Examples:
      chiasm data sources
      chiasm data sources gqa
    """
    from chiasm.data.sources import source, source_names

    for one in source_names() if name is None else [name]:
        module = source(one)
        print(f"{one}: {(module.__doc__ or '').strip().splitlines()[0]}")
        if name is not None:
            print(f"splits: {', '.join(module.SPLITS)}\n{module.FILES}")


def preview(
    recipe: RecipeName,
    data: Data = None,
    settings: Settings = None,
    rows: Annotated[int, typer.Option(min=1, help="Of the answers, the commonest so many are named.")] = 10,
    on_error: Annotated[OnError, typer.Option(help="Rows that cannot be used: stop and name them, or go on.")] = (
        OnError.stop
    ),
    out: Annotated[Path, typer.Option(metavar="FILE", help="The same numbers, as JSON.")] = Path(
        "runs/data_preview.json"
    ),
) -> None:
    """Show what a recipe would learn from the data: the answers, how often each is given, its place in the scores.

    \b
    Examples:
      chiasm data preview demo
      chiasm data preview lxmert_vqa --data VQA --set task.min_count=9
      chiasm data preview lxmert_rows --data rows.csv --rows 30
    """
    from dataclasses import asdict

    from chiasm.cli._show import show_table, write_json
    from chiasm.report.tables import targets_table
    from chiasm.training.targets import preview_targets

    chosen = changed_recipe(recipe, settings or [])
    show_guesses(chosen, data)
    found = preview_targets(chosen, data, rows=rows, on_error=on_error.value)
    for split in found:
        show_table(targets_table(split))
    write_json([asdict(split) for split in found], out)


commands = {"check": check, "preview": preview, "sources": sources}
