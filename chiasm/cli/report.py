"""Make a run's report: numbers beside other runs, curves, explained examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as `chiasm train` leaves it.")],
    split: Annotated[str | None, typer.Option(help="Which split.  [default: test, else validation]")] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=RUN", help="Another run to stand beside it; may be repeated."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Data to explain examples of; not needed on the generated world."),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="How many examples to explain.")] = 8,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PAGE", help="The page; the numbers go beside it (.json).  [default: RUN/report.html]"),
    ] = None,
) -> None:
    """Make a run's report: one page that needs no network.

    Metrics with 95 % intervals beside other runs and (never on generated data) the printed numbers, accuracy by type,
    training curves, explained examples with faithfulness scores, the recipe and the environment.

    \b
    Examples:
      chiasm report runs/gqa --data GQA
      chiasm report runs/nlvr1 --baseline "text only=runs/nlvr1_text" --examples 0
    """
    from chiasm.cli._show import show_metrics, write_json, written
    from chiasm.report.page import render, write_page
    from chiasm.report.run import explained_of_run, report_of_run
    from chiasm.report.tables import to_plain

    others = dict(_named_run(text) for text in baseline or [])
    shown = explained_of_run(run, split, data, examples)
    made = report_of_run(run, split=split, baselines=others, examples=shown)
    page = out or run / "report.html"
    show_metrics(made.metrics, f"{made.title}, {made.subtitle}", made.baseline_parts)
    write_page(render(made), page)
    numbers = {"metrics": made.metrics, "baselines": made.baseline_parts, "generated_world": made.generated}
    write_json(to_plain(numbers), page.with_suffix(".json"))
    written(page)


def _named_run(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise typer.BadParameter(f"{text!r} should be NAME=RUN, e.g. 'text only=runs/text'")
    return name, Path(folder)
