"""The report of a run: read from the folder that it left, with explained examples when there is data."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chiasm.data import example as rows
from chiasm.explain.attribution import METHODS
from chiasm.explain.explanation import explain_example
from chiasm.metrics.estimate import Estimate
from chiasm.report.contents import Example, Report
from chiasm.tasks import BaseTask, Prediction
from chiasm.training.bundle import Bundle
from chiasm.training.errors import TrainingError
from chiasm.training.journal import read_journal

BASELINES = {  # keys of metrics.json -> what the page calls them
    "question_only": "question only",
    "shuffled_images": "images shuffled",
    "majority": "majority answer",
}
HIGHER = 0.5  # an example whose official score reaches this counts as right
POOL = 20  # examples looked at for each one that is shown


def read_run(folder: Path | str, *, split: str | None = None, examples: Sequence[Example] = ()) -> Report:
    """What the folder of a run holds, as a report: metrics of `split` (test if there, else validation), log, recipe.

    Raises `TrainingError` when the folder holds no finished run or not that split.
    """
    path = Path(folder)
    content = _record(path)
    record = content.get("run") or content  # what `chiasm demo` writes holds its run's own record
    splits: Mapping[str, Any] = record.get("metrics") or {}
    chosen = split or next((name for name in ("test", "validation") if name in splits), "")
    if split is not None and split not in splits:
        raise TrainingError(f"{path}: no metrics of split {split!r}; there are: {', '.join(splits) or 'none'}")
    metrics = {name: estimate_of(value) for name, value in splits.get(chosen, {}).items()}
    generated = bool(content.get("generated_world") or record.get("generated_world"))
    recipe = path / "recipe.toml"
    return Report(
        title=str(record.get("title") or record.get("recipe") or path.name),
        subtitle=_subtitle(record, chosen),
        metrics=metrics,
        headline="accuracy" if "accuracy" in metrics else next(iter(metrics), "accuracy"),
        generated=generated,
        baselines={name: estimate_of(content[key]) for key, name in BASELINES.items() if key in content},
        paper={} if generated else dict(record.get("paper") or {}),
        journal=read_journal(path / "log.jsonl"),
        examples=examples,
        recipe=recipe.read_text(encoding="utf-8") if recipe.is_file() else "",
        data=_data(record),
        environment=dict(record.get("environment") or {}),
        notes=_notes(record),
    )


def explained(
    bundle: Bundle,
    examples: Sequence[rows.Example],
    predictions: Sequence[Prediction],
    *,
    count: int = 8,
    seed: int = 0,
    kind: str = "detailed",
    methods: Sequence[str] = METHODS,
) -> list[Example]:
    """`count` of the examples, explained: drawn at random over the types that `info[kind]` names, right and wrong.

    Nothing is picked by how good it looks: the draw knows types and correctness, and takes wrong answers in the share
    in which they occur, at least one if there is any.
    """
    pool = sorted(random.Random(seed).sample(range(len(examples)), min(len(examples), POOL * count)))
    right = [is_right(bundle.task, predictions[i], examples[i]) for i in pool]
    chosen = choose([str(examples[i].info.get(kind)) for i in pool], right, count=count, seed=seed)
    return [Example(explain_example(bundle, examples[pool[i]], methods=methods), right[i]) for i in chosen]


def choose(types: Sequence[str], right: Sequence[bool | None], *, count: int, seed: int = 0) -> list[int]:
    """Positions of `count` examples, types in turn, wrong ones in their share (rounded up)."""
    order = list(range(len(types)))
    random.Random(seed).shuffle(order)
    wrong = [i for i in order if right[i] is False]
    others = [i for i in order if right[i] is not False]
    number = min(len(wrong), -(-count * len(wrong) // max(1, len(types))))
    taken = _in_turn(wrong, types, number)
    return sorted([*taken, *_in_turn(others, types, min(len(others), count - len(taken)))])


def _in_turn(order: Sequence[int], types: Sequence[str], count: int) -> list[int]:
    """The first `count` positions when every type has its turn."""
    queues: dict[str, list[int]] = {}
    for i in order:
        queues.setdefault(types[i], []).append(i)
    turns = [i for turn in range(len(order)) for queue in queues.values() for i in queue[turn : turn + 1]]
    return turns[:count]


def is_right(task: BaseTask, prediction: Prediction, example: rows.Example) -> bool | None:
    """Whether the task's official accuracy calls this one answer right.

    None when the answer is not known, or when the task has no accuracy: a predicted number is not right or wrong.
    """
    if example.values.get("answer") is None:
        return None
    measured = task.evaluate([prediction], [example])
    return measured["accuracy"].value >= HIGHER if "accuracy" in measured else None


def estimate_of(value: Mapping[str, Any]) -> Estimate:
    """An estimate as JSON holds it; null is NaN."""
    numbers = {key: float("nan") if value.get(key) is None else float(value[key]) for key in ("value", "low", "high")}
    return Estimate(**numbers, n=int(value.get("n") or 0))


def _record(path: Path) -> dict[str, Any]:
    file = path / "metrics.json"
    if not file.is_file():
        raise TrainingError(f"{path} holds no finished run: {file.name} is not there")
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file} cannot be read: {error}") from error
    if not isinstance(record, dict):
        raise TrainingError(f"{file} should hold a JSON object")
    return record


def _subtitle(record: Mapping[str, Any], split: str) -> str:
    seed = (record.get("environment") or {}).get("seed")
    parts = [
        f"recipe {record['recipe']}" if "recipe" in record else "",
        f"model {record['model']}" if "model" in record else "",
        f"task {record['task']}" if "task" in record else "",
        f"measured on {split}" if split else "",
        f"seed {seed}" if seed is not None else "",
    ]
    return " · ".join(part for part in parts if part)


def _data(record: Mapping[str, Any]) -> dict[str, Any]:
    examples = {f"{split} examples": f"{count:,}" for split, count in (record.get("examples") or {}).items()}
    world = record.get("generated_world")
    return {**examples, **({"generated world": world} if world else {})}


def _notes(record: Mapping[str, Any]) -> list[str]:
    skipped = record.get("skipped_rows") or []
    return [f"{len(skipped)} bad rows were left out, the first: {skipped[0]}"] if skipped else []
