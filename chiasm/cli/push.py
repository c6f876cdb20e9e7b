"""Publish a trained model on a Hub, with a model card made from its run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chiasm.cli._inputs import Bundle


def command(
    bundle: Bundle,
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="What it is called there.")] = "",
    licence: Annotated[str, typer.Option(metavar="SPDX", help="The model's licence, e.g. apache-2.0.")] = "unknown",
    limit: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A further sentence on what it should not be used for.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Only you can see it.")] = False,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Another Hub.  [default: that of huggingface_hub]")
    ] = None,
    card_only: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only write the model card to a file, and publish nothing.")
    ] = None,
) -> None:
    """Publish a bundle on a Hub, with a model card: data, metrics with intervals, recipe, licence, limits.

    `chiasm.from_pretrained("OWNER/NAME")` loads it again. The login is that of huggingface_hub.

    \b
    Examples:
      chiasm push runs/gqa/bundle me/lxmert-gqa --licence apache-2.0
      chiasm push runs/gqa/bundle me/lxmert-gqa --card-only card.md
    """
    from chiasm.cli._show import written
    from chiasm.report.model_card import model_card
    from chiasm.serve.hub import push_to_hub
    from chiasm.training.bundle import Bundle as Loaded

    loaded, limits = Loaded.load(bundle), limit or []
    if not name and card_only is None:
        raise typer.BadParameter("say what it is called there: OWNER/NAME")
    if card_only is not None:
        card_only.write_text(model_card(loaded, name or bundle.name, licence=licence, limits=limits), encoding="utf-8")
        written(card_only)
        return
    address = push_to_hub(loaded, name, licence=licence, limits=limits, private=private, endpoint=endpoint)
    print(f"published: {address}")
