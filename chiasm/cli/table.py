"""Run a published table again: its rows side by side, our numbers beside the printed ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="A table such as coin/1, or a .toml file; none: list them.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Folder with the data; without it, the recipes' generated worlds."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where runs go.  [default: runs/<table>]")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row.")] = 1,
    only: Annotated[list[str] | None, typer.Option("--row", help="Only this row; may be repeated.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change every row; may be repeated.")
    ] = None,
    tiny: Annotated[bool, typer.Option("--tiny", help="Every row in seconds, on generated data: a trial.")] = False,
) -> None:
    """Run a published table again and print our numbers beside the paper's.

    Each row is a recipe with its changes. A row that was run already is read, not repeated; Ctrl-C stops, the same
    command goes on. In --out: table.txt, table.md, table.json, table.png, and each run in <row>/<seed>.

    \b
    Examples:
      chiasm table
      chiasm table coin/1 --data IEMOCAP --seeds 3
      chiasm table coin/2 --data IEMOCAP --row ICON --row ICON+AT
      chiasm table coin/figure2b --tiny
      chiasm table lxmert/5 --data DIR --seeds 3
    """
    from chiasm.cli._show import show_table, written
    from chiasm.recipes.tables import table_names
    from chiasm.report.table_picture import table_picture
    from chiasm.report.tables import Table
    from chiasm.training.files import write_json
    from chiasm.training.table_file import load_table
    from chiasm.training.table_text import table_lines, table_notes, table_record
    from chiasm.training.tables import run_table

    if name is None:
        typer.echo("\n".join(table_names()))
        return
    table = load_table(name)
    data = None if tiny else data
    folder = out or Path("runs") / Path(name).with_suffix("")
    measured = run_table(table, data, folder, seeds=seeds, tiny=tiny, only=only or (), settings=settings or ())
    lines = table_lines(table, measured, generated=data is None)
    shown = Table(table.title, tuple(lines[0]), tuple(tuple(line) for line in lines[1:]))
    show_table(shown)
    notes = table_notes(measured)
    print("".join(f"{note}\n" for note in notes), end="")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.txt").write_text("\n".join([shown.to_text(), *notes, ""]), encoding="utf-8")
    (folder / "table.md").write_text(
        "\n".join([shown.to_markdown(), *(f"\n{note}" for note in notes), ""]), encoding="utf-8"
    )
    write_json(folder / "table.json", table_record(table, measured, data=data))
    table_picture(table, measured, folder / "table.png", generated=data is None)
    written(*(folder / f"table.{ending}" for ending in ("txt", "md", "json", "png")))
