"""Draw what a model looks at: its attention, and which words, regions and pairs match.

The figures of LXMERT and CMR.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chiasm.cli._inputs import Bundle


def command(
    bundle: Bundle,
    image: Annotated[list[Path], typer.Option(metavar="FILE", help="The image; twice for a model that takes two.")],
    text: Annotated[str, typer.Option(metavar="TEXT", help="The question, statement or sentence.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the pictures, the page and the numbers.")] = Path(
        "runs/figures"
    ),
    bert: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="A BERT to stand beside the language layers (figure 3).")
    ] = None,
    layer: Annotated[
        int | None, typer.Option(min=1, help="Of figure 3.  [default: those that point most to the neighbours]")
    ] = None,
    head: Annotated[int | None, typer.Option(min=1, help="Of figure 3.  [default: the mean of all heads]")] = None,
    objects: Annotated[int, typer.Option(min=2, help="How many objects the recovered graph has (figure 4).")] = 8,
    view: Annotated[int, typer.Option(min=1, help="Which of several images the figures are of.")] = 1,
    names: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the regions, one a line.  [default: numbers]")
    ] = None,
) -> None:
    """Draw what a model looks at in one example: pictures (PNG), one page, and the numbers (JSON).

    Where it has attention (LXMERT). Figure 3: words that point to their neighbours, in every language layer and head,
    beside BERT's. Figure 4: the graph of objects that the first object layer attends to, drawn on the image. Figure 5:
    words and objects, both directions, with pronouns, nouns and articles coloured. And relevance propagation through
    all attention, with the answer's probability as the most or the least relevant parts are hidden.

    Where it has affinities and rankings (CMR). Its figure 3: words and regions, with each word's best region. Its
    figure 4: how pairs of words, and pairs of regions, rank.

    \b
    Examples:
      chiasm figures runs/demo/bundle --image scene.png --text "is the red cube left of the ball?"
      chiasm figures runs/gqa/bundle --image a.jpg --text "is it raining?" --bert bert-base-uncased --layer 2
    """
    from chiasm.cli._show import write_json, written
    from chiasm.report.attention import METHOD, attention_figures, figures_page, write_figures
    from chiasm.report.page import write_page
    from chiasm.report.tables import to_plain
    from chiasm.serve.predictor import Predictor

    predictor = Predictor.load(bundle)
    explanation = predictor.explain(images=[str(one) for one in image], text=text, methods=(METHOD,))
    drawn = attention_figures(
        explanation,
        bert=bert,
        layer=None if layer is None else layer - 1,
        head=None if head is None else head - 1,
        names=None if names is None else names.read_text(encoding="utf-8").splitlines(),
        keep=objects,
        view=view - 1,
    )
    paths = write_figures(drawn, out)
    title = f"What {predictor.bundle.recipe.name} looks at"
    page = write_page(figures_page(explanation, drawn, title=title), out / "figures.html")
    said = explanation.prediction
    print(f"{text} -> {said.answer} ({said.probability:.1%}); {len(drawn)} figures")
    write_json(to_plain({one.name: one.numbers for one in drawn if one.numbers}), out / "figures.json")
    written(page, *paths)
