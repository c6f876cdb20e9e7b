"""Answer one new example, or a file of rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chiasm.cli._inputs import Bundle, Columns, Images, OnError, Rows, Text, example_roles, one_or_rows, read_and_show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chiasm.serve.predictor import PredictionError
    from chiasm.tasks import Prediction

SHOWN = 10  # answers to rows that are also printed


def command(
    bundle: Bundle,
    image: Images = None,
    text: Text = None,
    rows: Rows = None,
    column: Columns = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Every answer, as JSON lines.")] = Path(
        "runs/predict/predictions.jsonl"
    ),
    on_error: Annotated[
        OnError, typer.Option(help="Rows that cannot be used: stop and name them, or write the reason in their place.")
    ] = OnError.stop,
    top_k: Annotated[int, typer.Option(help="Answers to give for each example, best first.")] = 5,
    batch_size: Annotated[int, typer.Option(help="Rows at once.")] = 64,
) -> None:
    """Answer one new example, or a file of rows.

    Regions are found in an image by the bundle's own extractor unless the rows have boxes. What each column is
    (image, text, boxes, id) is guessed from its name and values, shown, and can be said.

    \b
    Examples:
      chiasm predict runs/demo/bundle --image scene.png --text "is there a red cube?"
      chiasm predict runs/nlvr/bundle --image left.png --image right.png --text "both show a dog"
      chiasm predict runs/gqa/bundle --rows questions.csv --out answers.jsonl
      chiasm predict runs/gqa/bundle --rows new.csv --column picture=image --column asked=text --on-error skip
    """
    from chiasm.cli._show import written
    from chiasm.serve.predictor import PredictionError, Predictor

    single = one_or_rows(image, text, rows)
    predictor = Predictor.load(bundle)
    if single or rows is None:
        answer = predictor.predict(**example_roles(image, text), top_k=top_k)
        for label, probability in answer.alternatives or ((answer.answer, answer.probability),):
            print(f"{probability:7.1%}  {label}")
        _write([answer], out)
    else:
        read = read_and_show(rows, column, on_error.value, predictor.bundle.recipe)
        answers = predictor.predict(read.examples, top_k=top_k, on_error=on_error.value, batch_size=batch_size)
        bad = [PredictionError(row.row_id, str(row)) for row in read.errors]
        done, failed = _write([*bad, *answers], out, show=SHOWN)
        print(f"{done} answered, {failed} could not be answered")
    written(out)


def _write(answers: Iterable[Prediction | PredictionError], out: Path, *, show: int = 0) -> tuple[int, int]:
    """Write the answers as they come, print the first few; returns how many were answered and how many were not."""
    from chiasm.serve.predictor import PredictionError

    counts = {True: 0, False: 0}
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8") as file:
        for answer in answers:
            failed = isinstance(answer, PredictionError)
            counts[not failed] += 1
            file.write(json.dumps(_line(answer), ensure_ascii=False) + "\n")
            if isinstance(answer, PredictionError):
                print(f"{answer.id}: not answered: {answer.reason}")
            elif sum(counts.values()) <= show:
                print(f"{answer.id}: {answer.answer} ({answer.probability:.1%})")
    return counts[True], counts[False]


def _line(answer: Prediction | PredictionError) -> dict[str, object]:
    from chiasm.serve.predictor import PredictionError
    from chiasm.training.evaluate import prediction_line

    if isinstance(answer, PredictionError):
        return {"id": answer.id, "error": answer.reason}
    return prediction_line(answer)
