"""Show why a trained model answers as it does, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chiasm.cli._inputs import Bundle, Columns, Graph, Images, Rows, Text, example_roles, one_or_rows, read_and_show

if TYPE_CHECKING:
    from chiasm.explain.explanation import Explanation


def command(
    bundle: Bundle,
    image: Images = None,
    text: Text = None,
    graph: Graph = None,
    rows: Rows = None,
    column: Columns = None,
    limit: Annotated[int, typer.Option(help="Of --rows, the first so many are explained.")] = 10,
    method: Annotated[
        list[str] | None, typer.Option(help="A file of chiasm/explain/methods; may be repeated.  [default: several]")
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="PAGE", help="The page (.html); the numbers go beside it (.json).")
    ] = Path("runs/explain/explanation.html"),
    seed: Annotated[int, typer.Option(help="Of the random orders that the faithfulness score is compared with.")] = 0,
) -> None:
    """Show why a trained model answers as it does, on one page that needs no network.

    Words and regions are shaded by how much they mattered, with the attention of every layer and head, and a
    faithfulness score (what happens to the answer when the shaded parts are hidden) beside random orders.

    \b
    Examples:
      chiasm explain runs/demo/bundle --image scene.png --text "is there a red cube?" --out why.html
      chiasm explain runs/graphvqa/bundle --graph scene.json --text "is the cup on the table?"
      chiasm explain runs/gqa/bundle --rows questions.csv --limit 20
      chiasm explain runs/demo/bundle --image scene.png --text "what is it?" --method attention_gradient
    """
    from chiasm.cli._show import write_json, written
    from chiasm.explain.attribution import METHODS
    from chiasm.report.page import render_explanations, write_page
    from chiasm.report.tables import to_plain
    from chiasm.serve.predictor import Predictor

    single = one_or_rows(image, text, graph, rows)
    if out.suffix == ".json":
        raise typer.BadParameter(f"{out} is the place of the numbers; give the page another ending, e.g. .html")
    predictor = Predictor.load(bundle)
    methods = tuple(method or METHODS)
    if single or rows is None:
        found = [predictor.explain(**example_roles(image, text, graph), methods=methods, seed=seed)]
    else:
        examples = read_and_show(rows, column, "stop", predictor.bundle.recipe).examples[:limit]
        found = [
            predictor.explain(**row.values, id=row.id, origin=row.origin, methods=methods, seed=seed)
            for row in examples
        ]
    for explanation in found:
        _print(explanation)
    write_page(render_explanations(found, title=f"Why {predictor.bundle.recipe.name} answers so"), out)
    write_json(to_plain([explanation.to_json() for explanation in found]), out.with_suffix(".json"))
    written(out)


def _print(explanation: Explanation) -> None:
    """The answer, and how faithful its shading is beside random orders."""
    prediction = explanation.prediction
    print(f"{prediction.id}: {explanation.text or ''} -> {prediction.answer} ({prediction.probability:.1%})")
    for attribution in explanation.attributions:
        for stream, score in attribution.faithfulness.items():
            print(f"  {attribution.method}, {stream}: faithfulness {score.area:+.2f}, random {score.random.value:+.2f}")
