"""Draw an answer's way through its scene graph, and compare it with gold programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from chiasm.explain.graph_path import GraphPath


def command(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle whose model reads scene graphs.")],
    data: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The data; without it, the recipe's generated world.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="A split.  [default: the recipe's test split, else validation]")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many examples are compared with their programs.")] = 500,
    drawn: Annotated[int, typer.Option("--draw", min=0, help="How many of them are drawn.")] = 8,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For paths.json and the pictures.")] = Path("runs/paths"),
) -> None:
    """Draw where an answer comes from on its scene graph, step by step, and compare that with the gold programs.

    The score is the share of the flow on the objects that the program's steps name, in their order, beside the same
    for shuffled objects.

    \b
    Examples:
      chiasm paths runs/graphvqa_world/bundle
      chiasm paths runs/graphvqa/bundle --data GQA --split val --limit 2000 --out runs/val_paths
    """
    from chiasm.cli._show import show_metrics, write_json
    from chiasm.explain.graph_path import graph_paths, score_paths
    from chiasm.report.tables import to_plain
    from chiasm.training.bundle import Bundle
    from chiasm.training.data import BadRowPolicy, read_named, world_folder

    loaded = Bundle.load(bundle)
    section = loaded.recipe.data
    folder = world_folder(loaded.recipe) if data is None else data
    names = (split,) if split else section.test or section.validation
    examples = read_named(loaded.recipe, folder, names, BadRowPolicy())[:limit]
    paths = graph_paths(loaded, examples)
    scores = score_paths(paths)
    show_metrics(scores, f"the paths of {len(paths)} answers beside their gold programs")
    _draw(paths[:drawn], out)
    write_json(to_plain({"scores": scores, "paths": [path.to_json() for path in paths]}), out / "paths.json")


def _draw(paths: list[GraphPath], out: Path) -> None:
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
        target = out / f"{path.prediction.id}.png"
        target.write_bytes(png(draw_path(path, image)))
        print(f"{path.example.values.get('text')} {path.prediction.answer}: {path.to_text()}  ({target})")
