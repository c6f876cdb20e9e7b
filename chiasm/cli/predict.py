"""Answer one new example, or a file of rows."""

from __future__ import annotations

import json
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
    Store,
    Text,
    example_roles,
    keep_inputs,
    one_or_rows,
    read_and_show,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chiasm.explain.explanation import Explanation
    from chiasm.serve.predictor import PredictionError
    from chiasm.tasks import Prediction

    Answered = Prediction | Explanation | PredictionError

SHOWN = 10  # answers to rows that are also printed


def command(
    bundle: Bundle,
    image: Images = None,
    text: Text = None,
    graph: Graph = None,
    rows: Rows = None,
    column: Columns = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Every answer, as JSON lines.")] = Path(
        "runs/predict/predictions.jsonl"
    ),
    on_error: Annotated[
        OnError, typer.Option(help="Rows that cannot be used: stop and name them, or write the reason in their place.")
    ] = OnError.stop,
    top_k: Annotated[int, typer.Option(min=1, help="Answers to give for each example, best first.")] = 5,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Write with each answer why: words, regions, how far to believe it.")
    ] = False,
    store: Store = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Rows at once.  [default: as memory allows]")] = None,
) -> None:
    """Answer one new example, or a file of rows.

    Regions are found in an image by the bundle's own extractor unless the rows have boxes. What each column is
    (image, text, boxes, graph, id) is guessed from its name and values, shown, and can be said. Answers stand in the
    order of the rows; with --on-error skip a row that cannot be answered has its reason there.

    \b
    Examples:
      chiasm predict runs/demo/bundle --image scene.png --text "is there a red cube?"
      chiasm predict runs/nlvr/bundle --image left.png --image right.png --text "both show a dog"
      chiasm predict runs/graphvqa/bundle --graph scene.json --text "is the cup on the table?"
      chiasm predict runs/gqa/bundle --rows questions.csv --out answers.jsonl
      chiasm predict runs/gqa/bundle --rows new.csv --column picture=image --column asked=text --on-error skip
      chiasm predict runs/gqa/bundle --rows few.csv --evidence --out answers.jsonl
    """
    from chiasm.cli._show import written
    from chiasm.serve.incoming import in_order
    from chiasm.serve.predictor import Predictor

    single = one_or_rows(image, text, graph, rows)
    keep_inputs(out, rows, graph, *(image or ()))
    predictor = Predictor.load(bundle)
    if store is not None:
        predictor.use_store(store)
    if single or rows is None:
        roles = example_roles(image, text, graph)
        answer = predictor.explain(**roles, top_k=top_k) if evidence else predictor.predict(**roles, top_k=top_k)
        _print_all(answer)
        _write([answer], out)
    else:
        entries = read_and_show(rows, column, on_error.value, predictor.bundle.recipe)
        given = in_order(entries.examples, entries.errors)
        answers: Iterable[Answered] = (
            predictor.explain_rows(given, top_k=top_k, on_error=on_error.value)
            if evidence
            else predictor.predict(given, top_k=top_k, on_error=on_error.value, batch_size=batch_size)
        )
        done, failed = _write(answers, out, show=SHOWN)
        print(f"{done} answered, {failed} could not be answered")
    written(out)


def _print_all(answer: Prediction | Explanation) -> None:
    """The answers to one example, best first."""
    from chiasm.explain.explanation import Explanation

    said = answer.prediction if isinstance(answer, Explanation) else answer
    for label, probability in said.alternatives or ((said.answer, said.probability),):
        print(f"{probability:7.1%}  {label}")


def _write(answers: Iterable[Answered], out: Path, *, show: int = 0) -> tuple[int, int]:
    """Write the answers, print the first few as they come; returns how many were answered and how many were not.

    A former file is replaced when all of them are written.
    """
    from chiasm.explain.explanation import Explanation
    from chiasm.serve.predictor import PredictionError
    from chiasm.training.files import file_aside

    counts = {True: 0, False: 0}
    with file_aside(out) as aside, aside.open("w", encoding="utf-8") as file:
        for answer in answers:
            counts[not isinstance(answer, PredictionError)] += 1
            file.write(json.dumps(_line(answer), ensure_ascii=False) + "\n")
            if isinstance(answer, PredictionError):
                print(f"{answer.id}: not answered: {answer.reason}")
            elif sum(counts.values()) <= show:
                said = answer.prediction if isinstance(answer, Explanation) else answer
                print(f"{said.id}: {said.answer} ({said.probability:.1%})")
    return counts[True], counts[False]


def _line(answer: Answered) -> dict[str, object]:
    from chiasm.explain.explanation import Explanation
    from chiasm.report.tables import to_plain
    from chiasm.serve.predictor import PredictionError
    from chiasm.training.evaluate import prediction_line

    if isinstance(answer, PredictionError):
        return {"id": answer.id, "error": answer.reason}
    if isinstance(answer, Explanation):
        evidence = to_plain(answer.to_json())
        return {**prediction_line(answer.prediction), "evidence": evidence}
    return prediction_line(answer)
