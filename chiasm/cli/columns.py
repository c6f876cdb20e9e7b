"""Why rows of text and table got their answers: shares of modalities and columns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from chiasm.cli._inputs import Bundle, Columns, OnError, read_and_show


def command(
    bundle: Bundle,
    rows: Annotated[Path, typer.Option(metavar="FILE", help="Rows: .csv, .tsv, .jsonl, .json or .parquet.")],
    column: Columns = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where columns.json and the charts go.")] = Path(
        "runs/columns"
    ),
    limit: Annotated[int, typer.Option(min=1, help="Rows that are explained, the first ones.")] = 20,
    on_error: Annotated[
        OnError, typer.Option(help="Rows that cannot be read: stop, or leave them out.")
    ] = OnError.stop,
) -> None:
    """Why rows of text and table got their answers: shares of modalities and columns.

    For each row a bar chart (<id>.png) of what the answer's score loses without each column, and in columns.json also
    without each modality, with the gates and a faithfulness score. Where the rows have answers, every metric with each
    modality hidden in turn.

    \b
    Examples:
      chiasm columns runs/fit/bundle --rows new.csv
      chiasm columns runs/fit/bundle --rows test.csv --limit 5 --out runs/why
    """
    from chiasm.cli._show import written
    from chiasm.explain.columns import draw_columns, explain_row, modality_contributions
    from chiasm.training.bundle import Bundle as LoadedBundle
    from chiasm.training.files import write_json

    loaded = LoadedBundle.load(bundle)
    examples = read_and_show(rows, column, on_error.value, loaded.recipe).examples
    out.mkdir(parents=True, exist_ok=True)
    explained = [explain_row(loaded, example) for example in examples[:limit]]
    for number, one in enumerate(explained):
        name = re.sub(r"[^\w.-]", "_", one.prediction.id)[:60] or str(number)
        (out / f"{name}.png").write_bytes(draw_columns(one))
    record: dict[str, object] = {"rows": [one.to_json() for one in explained]}
    if all(example.values.get("answer") is not None for example in examples):
        hidden = modality_contributions(loaded, examples)
        record["metrics_without"] = hidden
        for name, metrics in hidden.items():
            value = metrics[loaded.task.headline].value
            print(f"{'nothing hidden' if name == 'all' else 'without ' + name:<20} {loaded.task.headline} {value:.3f}")
    write_json(out / "columns.json", record)
    written(out / "columns.json")
