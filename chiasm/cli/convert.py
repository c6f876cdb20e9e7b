"""Convert weights between the original files, Hugging Face's folders and ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A file of chiasm/weights, e.g. lxmert.")],
    source: Annotated[
        str, typer.Argument(metavar="SRC", help="A file, a folder (a bundle too), or a repository on the Hub.")
    ],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="The file or folder to write.")],
    to: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            help="original, chiasm, or another of the model's.  [default: original for a DST .pth, else chiasm]",
        ),
    ] = "",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An option of the conversion, true or false."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace DST when it is there already.")] = False,
) -> None:
    """Convert a model's weights between the original code's files, Hugging Face's folders and ours.

    Nothing in a file is run. Every tensor must find its place: a missing, unexpected or misshapen one is named. What
    is written in our format is loaded by the family's `from_pretrained`, and by training that begins from it.

    \b
    Examples:
      chiasm convert lxmert model_LXRT.pth weights/lxmert
      chiasm convert lxmert unc-nlp/lxmert-base-uncased weights/lxmert
      chiasm convert lxmert runs/vqa/bundle vqa_hf --to huggingface
      chiasm convert lxmert runs/vqa/bundle BEST.pth --set module=true
      chiasm convert lxmert model_LXRT.pth weights/two_ways --set shared_cross_attention=false
      chiasm convert cmr BEST.pth weights/cmr
      chiasm convert cmr model_LXRT.pth start.pth
    """
    from chiasm.cli._show import written
    from chiasm.weights import weights

    if not hasattr(weights(model), "convert"):
        raise typer.BadParameter(f"{model} has no weights that are converted: they are read as they are published")
    done = weights(model).convert(source, destination, to=to, overwrite=overwrite, **_options(model, set_ or []))
    print(f"{done.model}: {done.given} -> {done.made}, {done.tensors} tensors, {done.parameters:,} parameters")
    written(destination)


def _options(model: str, settings: list[str]) -> dict[str, Any]:
    """The further options of a family's conversion, which are switches. Raises BadParameter."""
    import inspect

    from chiasm.weights import weights

    parameters = inspect.signature(weights(model).convert).parameters
    known = [name for name in parameters if name not in ("source", "destination", "to", "overwrite")]
    options: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in known or value not in ("true", "false"):
            expected = ", ".join(f"{name}=true|false" for name in known)
            raise typer.BadParameter(f"--set {setting}: known are {expected}")
        options[name] = value == "true"
    return options
