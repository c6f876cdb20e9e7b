"""Show why a trained model answers as it does, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chiasm.cli._inputs import (
    Bundle,
    Columns,
    Graph,
    Images,
    OnError,
    Rows,
    Text,
    example_roles,
    keep_inputs,
    one_or_rows,
    read_and_show,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chiasm.data.example import Example, RowError
    from chiasm.explain.explanation import Explanation
    from chiasm.serve.predictor import PredictionError, Predictor


def command(
    bundle: Bundle,
    image: Images = None,
    text: Text = None,
    graph: Graph = None,
    rows: Rows = None,
    column: Columns = None,
    limit: Annotated[int, typer.Option(min=1, help="Of --rows, the first so many are explained.")] = 10,
    method: Annotated[
        list[str] | None, typer.Option(help="A file of chiasm/explain/methods; may be repeated.  [default: several]")
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="PAGE", help="The page (.html); the numbers go beside it (.json).")
    ] = Path("runs/explain/explanation.html"),
    seed: Annotated[int, typer.Option(help="Of the random orders that the faithfulness score is compared with.")] = 0,
    on_error: Annotated[
        OnError, typer.Option(help="Rows that cannot be used: stop and name them, or name them and explain the others.")
    ] = OnError.stop,
) -> None:
    """Show why a trained model answers as it does, on one page that needs no network.

    Words and regions are shaded by how much they mattered, with the attention of every layer and head, and a
    faithfulness score (what happens to the answer when the shaded parts are hidden) beside random orders. With
    --on-error skip a row that cannot be explained has its reason in the numbers, in its place.

    \b
    Examples:
      chiasm explain runs/demo/bundle --image scene.png --text "is there a red cube?" --out why.html
      chiasm explain runs/graphvqa/bundle --graph scene.json --text "is the cup on the table?"
      chiasm explain runs/gqa/bundle --rows questions.csv --limit 20 --on-error skip
      chiasm explain runs/demo/bundle --image scene.png --text "what is it?" --method attention_gradient
    """
    from chiasm.cli._show import write_json, written
    from chiasm.explain.attribution import METHODS
    from chiasm.explain.explanation import Explanation
    from chiasm.report.page import render_explanations, write_page
    from chiasm.serve.incoming import in_order
    from chiasm.serve.predictor import Predictor

    single = one_or_rows(image, text, graph, rows)
    if out.suffix == ".json":
        raise typer.BadParameter(f"{out} is the place of the numbers; give the page another ending, e.g. .html")
    for page in (out, out.with_suffix(".json")):
        keep_inputs(page, rows, graph, *(image or ()))
    predictor = Predictor.load(bundle)
    methods = tuple(method or METHODS)
    found: list[Explanation | PredictionError]
    if single or rows is None:
        found = [predictor.explain(**example_roles(image, text, graph), methods=methods, seed=seed)]
    else:
        read = read_and_show(rows, column, on_error.value, predictor.bundle.recipe)
        given = in_order(read.examples, read.errors)[:limit]
        found = _explained(predictor, given, methods, seed, on_error)
    for one in found:
        _print(one)
    shown = [one for one in found if isinstance(one, Explanation)]
    write_page(render_explanations(shown, title=f"Why {predictor.bundle.recipe.name} answers so"), out)
    lines = [one if isinstance(one, Explanation) else {"id": one.id, "error": one.reason} for one in found]
    write_json(lines, out.with_suffix(".json"))
    written(out)


def _explained(
    predictor: Predictor, rows: Iterable[Example | RowError], methods: tuple[str, ...], seed: int, on_error: OnError
) -> list[Explanation | PredictionError]:
    """Each row's explanation, or why there is none. Raises `RowError` unless bad rows are to be left out,
    `DataError` when no row is left."""
    from chiasm.data.example import DataError, RowError
    from chiasm.serve.predictor import PredictionError

    found: list[Explanation | PredictionError] = []
    for row in rows:
        try:
            if isinstance(row, RowError):
                raise row
            roles = {**row.values, "id": row.id, "origin": row.origin}
            found.append(predictor.explain(**roles, methods=methods, seed=seed))
        except RowError as error:
            if on_error is OnError.stop:
                raise
            found.append(PredictionError(error.row_id or error.origin, error.reason))
    bad = [one for one in found if isinstance(one, PredictionError)]
    if len(bad) == len(found):
        first = f"; {bad[0].id}: {bad[0].reason}" if bad else ""
        raise DataError(f"there is no row to explain: {len(bad)} cannot be used{first}")
    return found


def _print(explanation: Explanation | PredictionError) -> None:
    """The answer, and how faithful its shading is beside random orders; or why there is none."""
    from chiasm.serve.predictor import PredictionError

    if isinstance(explanation, PredictionError):
        print(f"{explanation.id}: not explained: {explanation.reason}")
        return
    prediction = explanation.prediction
    print(f"{prediction.id}: {explanation.text or ''} -> {prediction.answer} ({prediction.probability:.1%})")
    for attribution in explanation.attributions:
        for stream, score in attribution.faithfulness.items():
            print(f"  {attribution.method}, {stream}: faithfulness {score.area:+.2f}, random {score.random.value:+.2f}")
