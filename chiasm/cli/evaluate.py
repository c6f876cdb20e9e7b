"""Measure a trained model on data, by the official metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chiasm.cli._inputs import Bundle, Data, OnError, Store

if TYPE_CHECKING:
    from chiasm.training.bundle import Bundle as LoadedBundle


class Precision(StrEnum):
    """In what a model on a CPU multiplies (`chiasm.layers.precision`)."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    int8 = "int8"


Split = Annotated[
    str | None, typer.Option(help="A split of the data.  [default: the recipe's test split, else validation]")
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The metrics as JSON.  [default: evaluation.json beside the bundle]"),
]
Predictions = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write every answer, as JSON lines.")]
Submission = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Also write the official submission file of the task.")
]
OnErrorOption = Annotated[
    OnError, typer.Option(help="Rows that cannot be used: stop and name them, or leave them out and name them.")
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Examples at once.  [default: the recipe's]")]
PrecisionOption = Annotated[
    Precision, typer.Option(help="Of products on a CPU; the two others are rounded for speed, if the model can.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="data.options.KEY=VALUE", help="Read the data in another way than training; may be repeated."
    ),
]


def command(
    bundle: Bundle,
    data: Data = None,
    split: Split = None,
    out: Out = None,
    predictions: Predictions = None,
    submission: Submission = None,
    on_error: OnErrorOption = OnError.stop,
    store: Store = None,
    batch_size: BatchSize = None,
    precision: PrecisionOption = Precision.float32,
    settings: Settings = None,
) -> None:
    """Measure a trained model on data, by the official metrics, each with a 95 % interval.

    \b
    Examples:
      chiasm evaluate runs/demo/bundle
      chiasm evaluate runs/gqa/bundle --data GQA --split val
      chiasm evaluate runs/gqa/bundle --data GQA --split testdev --predictions answers.jsonl
      chiasm evaluate runs/gqa/bundle --data GQA --split val --store features/val
      chiasm evaluate runs/gqa/bundle --data GQA --split val --set 'data.options.all_questions=["val"]'
      chiasm evaluate runs/vqa/bundle --data VQA --split test2015 --submission test2015.json
      chiasm evaluate runs/demo/bundle --precision int8
    """
    from chiasm.cli._show import show_metrics, written
    from chiasm.layers import kernels
    from chiasm.layers.precision import set_precision
    from chiasm.training.bundle import Bundle as LoadedBundle
    from chiasm.training.evaluate import evaluate

    loaded = _with_settings(LoadedBundle.load(bundle), settings or ())
    if store is not None:
        loaded.use_store(store)
    set_precision(loaded.model, precision.value)
    rounded = "" if precision is Precision.float32 else f"-{precision.value}"
    target = out or bundle.resolve().parent / f"evaluation{rounded}.json"
    with kernels.using(kernels.choice()):
        metrics = evaluate(
            loaded,
            data,
            split=split,
            predictions=predictions,
            submission=submission,
            metrics=target,
            batch_size=batch_size,
            on_error=on_error.value,
        )
    files = [path for path in (predictions, submission) if path is not None]
    if not metrics:
        print("nothing is measured: no example has an answer to compare with")
        written(*files)
        return
    where = "the generated world" if data is None else str(data)
    how = "".join(f", {part}" for part in (split, *(settings or ())) if part)
    show_metrics(metrics, f"{loaded.recipe.name} on {where}{how}", notes=loaded.task.notes())
    written(target, *files)


def _with_settings(bundle: LoadedBundle, settings: Sequence[str]) -> LoadedBundle:
    """The bundle whose recipe reads the data in another way. Raises BadParameter."""
    from chiasm.training.errors import RecipeError

    for setting in settings:
        path, equals, _ = setting.partition("=")
        if equals and not path.strip().startswith("data.options."):
            raise typer.BadParameter(
                f"--set: {setting!r}: only data.options.KEY=VALUE can be changed of a model that is trained"
            )
    try:
        return replace(bundle, recipe=bundle.recipe.with_settings(settings))
    except RecipeError as error:
        raise typer.BadParameter(f"--set: {error}") from error
