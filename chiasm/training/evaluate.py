"""A trained model on data: the official metrics with intervals, the answers, the official submission file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from chiasm.data.columns import EncodedDataset
from chiasm.data.example import DataError, Example
from chiasm.metrics.estimate import Estimate
from chiasm.models import CrossModalModel
from chiasm.tasks import BaseTask, Prediction
from chiasm.training.bundle import Bundle
from chiasm.training.data import BadRowPolicy, OnError, read_measured, world_folder
from chiasm.training.files import file_aside, write_json
from chiasm.training.predict import predict
from chiasm.training.progress import Progress, progress


def evaluate(
    bundle: Bundle,
    data: Path | str | Sequence[Example] | None = None,
    *,
    split: str | None = None,
    predictions: Path | str | None = None,
    submission: Path | str | None = None,
    metrics: Path | str | None = None,
    batch_size: int | None = None,
    on_error: OnError = "stop",
    show: bool | None = None,
) -> Mapping[str, Estimate]:
    """The task's metrics of `bundle` on `data`.

    - `data`: a folder that the recipe's source reads, or examples; None: the recipe's generated world
    - `split`: a split of the source; by default the recipe's test splits, else its validation splits, else what
      training held out of its rows, or all rows of other data
    - `predictions`, `submission`, `metrics`: files to write: every answer (JSON lines), the official file, the metrics
    - `on_error="skip"`: measure without the bad rows, which the metrics file names, instead of stopping at them

    Examples without an answer are answered and not measured. Where none has one, nothing is measured (an empty
    mapping, no metrics file): `predictions` or `submission` must be asked for.

    Warns of what the model does not know in the data. Raises `DataError`, `RowError`, `BadRows`.
    """
    policy, shown = BadRowPolicy(on_error), progress(show)
    examples, which = _examples(bundle, data, split, policy, show=show is not False)
    shown.note(f"examples: {which}")
    encode = partial(bundle.dataset, with_targets=bundle.task.measured_on_targets)
    dataset = policy.attempt(examples, encode)[1]
    for note in dataset.notes():
        warnings.warn(note, stacklevel=2)
    bare = sum(not bundle.task.labelled(example) for example in dataset.examples)
    if bare == len(dataset) and predictions is None and submission is None:
        raise DataError(
            f"none of the {bare:,} examples has an answer to compare with, so there is nothing to measure; "
            "ask for the answers (--predictions FILE) or the official file (--submission FILE)"
        )
    if bare:
        shown.note(f"{bare:,} of {len(dataset):,} examples have no answer to compare with: answered, not measured")
    size = batch_size or bundle.recipe.training.evaluate_batch_size
    answers, measured = measure(bundle.model, bundle.task, dataset, batch_size=size, progress=shown)
    if predictions is not None:
        write_predictions(answers, Path(predictions))
    if submission is not None:
        with file_aside(Path(submission)) as aside:
            bundle.task.submission(answers, aside)
    if metrics is not None and measured:
        skipped = [str(error) for error in policy.skipped]
        was_read = data is None or isinstance(data, str | Path)
        read_with = dict(bundle.recipe.data.options) if was_read else {}
        record: dict[str, Any] = {"examples": len(dataset), "split": split, "rows": which, "without_answer": bare}
        record |= {"data_options": read_with, "skipped_rows": skipped, "metrics": measured}
        write_json(Path(metrics), record | noted(bundle.task))
    return measured


def measure(
    model: CrossModalModel,
    task: BaseTask,
    dataset: EncodedDataset,
    *,
    batch_size: int = 256,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
) -> tuple[list[Prediction], Mapping[str, Estimate]]:
    """The answers to a data set, and the task's metrics of those to labelled examples; none when no example is."""
    answers = predict(model, task, dataset, batch_size=batch_size, device=device, progress=progress)
    pairs = zip(answers, dataset.examples, strict=True)
    measured = [(answer, example) for answer, example in pairs if task.labelled(example)]
    if not measured:
        return answers, {}
    return answers, task.evaluate([answer for answer, _ in measured], [example for _, example in measured])


def noted(task: BaseTask) -> dict[str, Mapping[str, str]]:
    """ "notes" for a record of metrics, of a task that has any."""
    notes = task.notes()
    return {"notes": notes} if notes else {}


def write_predictions(answers: Sequence[Prediction], path: Path) -> None:
    """One JSON line for each answer: id, answer, probability, the runners-up, further heads."""
    with file_aside(path) as aside, aside.open("w", encoding="utf-8") as file:
        for answer in answers:
            file.write(json.dumps(prediction_line(answer), ensure_ascii=False) + "\n")


def prediction_line(answer: Prediction) -> dict[str, Any]:
    """An answer as plain values, without what is empty."""
    line = asdict(answer)
    return {key: value for key, value in line.items() if value not in ((), {})}


def _examples(
    bundle: Bundle,
    data: Path | str | Sequence[Example] | None,
    split: str | None,
    policy: BadRowPolicy,
    *,
    show: bool,
) -> tuple[Sequence[Example], str]:
    """The examples, and which they are, in words."""
    if data is not None and not isinstance(data, str | Path):
        return data, f"the {len(data):,} examples given"
    folder = Path(data) if data is not None else world_folder(bundle.recipe, show=show)
    return read_measured(bundle.recipe, folder, split, policy, bundle.metrics.get("data_fingerprint"))
