"""Draw an answer's way through its scene graph, and compare it with gold programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from chiasm.cli._inputs import Columns, OnError, read_and_show

if TYPE_CHECKING:
    from chiasm.data.example import Example
    from chiasm.explain.graph_path import GraphPath
    from chiasm.metrics.estimate import Estimate
    from chiasm.training.bundle import Bundle
    from chiasm.training.data import BadRowPolicy


def command(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle whose model reads scene graphs.")],
    data: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The data; without it, the recipe's generated world.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="A split.  [default: the recipe's test split, else validation]")
    ] = None,
    rows: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own rows in place of data, with a column of graphs.")
    ] = None,
    column: Columns = None,
    limit: Annotated[int, typer.Option(min=1, help="How many examples are compared with their programs.")] = 500,
    drawn: Annotated[int, typer.Option("--draw", min=0, help="How many of them are drawn.")] = 8,
    on_error: Annotated[
        OnError, typer.Option(help="Rows that cannot be used: stop and name them, or leave them out and name them.")
    ] = OnError.stop,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For paths.json and the pictures.")] = Path("runs/paths"),
) -> None:
    """Draw where an answer comes from on its scene graph, step by step, and compare that with the gold programs.

    The score is the share of the flow on the objects that the program's steps name, in their order, beside the same
    for shuffled objects. Where there are no gold programs it is only drawn.

    \b
    Examples:
      chiasm paths runs/graphvqa_world/bundle
      chiasm paths runs/graphvqa/bundle --data GQA --split val --limit 2000 --out runs/val_paths
      chiasm paths runs/graphvqa/bundle --rows questions.jsonl --out runs/my_paths
    """
    from chiasm.cli._show import write_json
    from chiasm.explain.graph_path import graph_paths, not_grounded, score_paths
    from chiasm.report.tables import to_plain
    from chiasm.training.bundle import Bundle
    from chiasm.training.data import BadRowPolicy

    if rows is not None and (data is not None or split is not None):
        raise typer.BadParameter("give either --rows FILE, or --data PATH with its --split")
    loaded, policy = Bundle.load(bundle), BadRowPolicy(on_error.value)
    examples = _of_data(loaded, data, split, policy) if rows is None else _of_rows(loaded, rows, column, policy)
    paths = policy.attempt(examples[:limit], partial(graph_paths, loaded))[1]
    for row in policy.skipped:
        print(f"left out: {row}")
    _draw(paths[:drawn], out)
    scores, others = score_paths(paths), not_grounded(paths)
    _show(scores, len(paths), others)
    record = {"scores": scores, "not_grounded": others, "paths": [path.to_json() for path in paths]}
    write_json(to_plain(record), out / "paths.json")


def _of_data(bundle: Bundle, data: Path | None, split: str | None, policy: BadRowPolicy) -> list[Example]:
    """The examples of a folder, or of the recipe's generated world."""
    from chiasm.training.data import read_measured, world_folder

    folder = world_folder(bundle.recipe) if data is None else data
    return read_measured(bundle.recipe, folder, split, policy, bundle.metrics.get("data_fingerprint"))[0]


def _of_rows(bundle: Bundle, file: Path, columns: Sequence[str] | None, policy: BadRowPolicy) -> list[Example]:
    """A person's rows; each has its graph, and a picture if it likes."""
    read = read_and_show(file, columns, policy.on_error, bundle.recipe)
    policy.skipped += read.errors
    return read.examples


def _show(scores: Mapping[str, Estimate], count: int, others: Sequence[str]) -> None:
    """The scores, as far as there are some, and what could not be scored."""
    from chiasm.cli._show import show_metrics

    if "gold_path" not in scores:
        print("no gold programs: not scored")
    if scores:
        show_metrics(scores, f"the paths of {count} answers beside what is gold about them")
    if others:
        noun = "1 question names" if len(others) == 1 else f"{len(others)} questions name"
        print(f"{noun} an object that their graph lacks, or has no box of: left out of the grounding")


def _draw(paths: Sequence[GraphPath], out: Path) -> None:
    """A picture of each path, and its line of text."""
    from chiasm.data.example import DataError
    from chiasm.data.images import open_image
    from chiasm.explain.draw import png
    from chiasm.explain.draw_graph import draw_path

    out.mkdir(parents=True, exist_ok=True)
    for path in paths:
        images: Sequence[Any] = path.example.values.get("images") or ()
        try:
            image = open_image(images[0]) if len(images) == 1 else None
        except DataError as error:
            print(f"{path.prediction.id}: drawn without its picture ({error})")
            image = None
        target = out / f"{quote(path.prediction.id, safe=' ')}.png"  # a person's id may hold a slash
        target.write_bytes(png(draw_path(path, image)))
        print(f"{path.example.values.get('text')} {path.prediction.answer}: {path.to_text()}  ({target})")
