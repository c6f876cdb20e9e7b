"""Generate a world of pictures and questions, in official formats."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

KIND = typer.Argument(
    metavar="KIND", help="scenes: one picture and its questions; pairs: statements about two pictures."
)


def command(
    kind: Annotated[str, KIND],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the world goes; it appears whole or not at all.")],
    seed: Annotated[int, typer.Option(help="The same seed and options give the same bytes.")] = 0,
    scenes: Annotated[
        int | None, typer.Option(min=1, help="Training scenes (pairs: statements); a tenth more each for val and test.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="OPTION=VALUE", help="An option below; may be repeated.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; the result is the same.  [default: the cores]")
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Also draw a contact sheet: examples with boxes and questions."),
    ] = None,
) -> None:
    """Generate a world of pictures and questions, in the official formats of GQA, VQA v2, NLVR2 and COCO.

    Scenes are rendered as PNG files, with boxes, masks, attributes, relations and words on signs. The split
    "test" holds combinations of colour and shape that "train" and "val" never show. world.json in the folder
    says what was made. A test bed, not a claim about real pictures.

    \b
    Options of both kinds (--set):
      image_size     pixels, width and height (128)
      min_objects    things in a picture, at least (3); max_objects: at most (6)
    Options of scenes:
      scenes         training scenes (10000); val_scenes, test_scenes: a tenth each
      questions      per scene, at most (8)
      families       types of questions asked, e.g. ["exist", "query_relation"]; [] asks all eighteen ([]);
                     one that is named twice is asked about twice as often
      formats        files to write (["gqa", "vqa", "captions", "instances"])
    Options of pairs:
      statements     training statements (4000); val_statements, test_statements: a tenth each
      pairs          pairs of pictures per statement, half of them true (4)

    \b
    Examples:
      chiasm synth scenes --out world --scenes 1000
      chiasm synth scenes --out world --seed 7 --set questions=12 --sheet world.png
      chiasm synth pairs --out pairs --scenes 500 --set pairs=2
    """
    from chiasm.cli._show import written
    from chiasm.synth import WorldError, check, generate

    options = dict(_option(setting) for setting in settings or [])
    if scenes is not None:
        options["statements" if kind == "pairs" else "scenes"] = scenes
    try:
        check(kind, options)
    except WorldError as error:
        raise typer.BadParameter(str(error)) from error
    folder = generate(kind, out, seed=seed, workers=workers, **options)
    written(folder / "world.json")
    if sheet is not None:
        from chiasm.synth.sheet import sheet as draw_sheet

        written(draw_sheet(folder, sheet))


def _option(setting: str) -> tuple[str, Any]:
    """("questions", 12) of "questions=12"; the value is read as TOML."""
    name, equals, text = setting.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{setting!r} should be OPTION=VALUE, e.g. questions=12")
    try:
        return name.strip(), tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        raise typer.BadParameter(f"{setting!r}: {text!r} is no number, text in quotes, or list") from None
