"""Show what a model answered, with images and texts, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chiasm.cli._inputs import Bundle, Data, keep_inputs


def command(
    bundle: Bundle,
    data: Data = None,
    split: Annotated[
        str | None, typer.Option(help="A split of the data.  [default: the recipe's test split, else validation]")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Answers as `evaluate --predictions` writes them; else they are computed."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many examples.")] = 6,
    seed: Annotated[int, typer.Option(help="Which examples: they are drawn, not chosen.")] = 0,
    out: Annotated[Path, typer.Option(metavar="PAGE", help="The page (.html).")] = Path("runs/examples.html"),
) -> None:
    """Show what a model answered to some examples: images, text, what it said, what is true.

    \b
    Examples:
      chiasm examples runs/vit_bert_vcr/bundle --data VCR --limit 4
      chiasm examples runs/vqa/bundle --data VQA --split minival --predictions answers.jsonl
    """
    import random

    from chiasm.cli._show import written
    from chiasm.report.page import write_page
    from chiasm.report.qualitative import panels, qualitative_page, read_predictions
    from chiasm.training.bundle import Bundle as Loaded
    from chiasm.training.data import BadRowPolicy, read_measured, world_folder
    from chiasm.training.predict import predict

    keep_inputs(out, predictions)
    loaded = Loaded.load(bundle)
    recipe = loaded.recipe
    trained_on = loaded.metrics.get("data_fingerprint")
    examples, where = read_measured(recipe, data or world_folder(recipe), split, BadRowPolicy(), trained_on)
    if predictions is not None:
        answers = read_predictions(predictions)
        answers = random.Random(seed).sample(answers, min(limit, len(answers)))
    else:
        chosen = random.Random(seed).sample(examples, min(limit, len(examples)))
        answers = predict(loaded.model, loaded.task, loaded.dataset(chosen))
    shown = panels(loaded.task, examples, answers)
    title = f"{recipe.name}: {len(shown)} examples of {where}, drawn with seed {seed}"
    write_page(qualitative_page({recipe.title: shown}, title=title), out)
    for panel in shown:
        print(f"{panel.name}: {panel.text} -> {panel.said}{f' (true: {panel.true})' if panel.true else ''}")
    written(out)
