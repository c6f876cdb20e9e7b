"""A run's folder as a report: its metrics, curves and environment, beside other runs, with explained examples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chiasm.data.example import Example as Row
from chiasm.explain.explanation import explain_example
from chiasm.metrics.estimate import Estimate
from chiasm.report.contents import Example, Report
from chiasm.tasks import Prediction
from chiasm.training.bundle import Bundle
from chiasm.training.data import read_named, world_folder
from chiasm.training.predict import predict

TYPES = ("detailed", "structural", "question_type", "answer_type")  # where `info` may say a question's type
CANDIDATES = 500  # the first rows of a split, from which the explained ones are chosen
LARGEST_SHARE_OF_MISTAKES = 0.25


class RunError(Exception):
    """A folder that holds no finished run; the message says what is missing."""


def report_of_run(
    folder: Path,
    *,
    split: str | None = None,
    baselines: Mapping[str, Path] | None = None,
    examples: Sequence[Example] = (),
) -> Report:
    """The report of the run in `folder` for one of its splits (by default test, else validation).

    `baselines` are other runs of the same task, by the name they shall have. Raises `RunError`.
    """
    record = run_record(folder)
    chosen = split_of(record, split, folder)
    metrics = estimates(record["metrics"][chosen])
    others = {name: _same_split(path, chosen) for name, path in (baselines or {}).items()}
    bundle = Bundle.load(folder / "bundle")
    headline = bundle.task.headline
    generated = record["generated_world"] is not None
    world = {f"world: {key}": value for key, value in (record["generated_world"] or {}).items()}
    return Report(
        title=str(record["title"]),
        subtitle=f"{record['recipe']}, split {chosen}",
        metrics=metrics,
        headline=headline,
        generated=generated,
        baselines={name: other[headline] for name, other in others.items() if headline in other},
        baseline_parts=others,
        paper={} if generated else record["paper"],
        journal=_journal(folder / "log.jsonl"),
        examples=examples,
        recipe=bundle.recipe.to_toml(),
        data={**{f"{name} examples": count for name, count in record["examples"].items()}, **world},
        environment=record["environment"],
    )


def run_record(folder: Path) -> dict[str, Any]:
    """What a run wrote into its metrics.json. Raises `RunError`."""
    path = folder / "metrics.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} holds no finished run: {path.name} cannot be read ({error})") from error
    record: dict[str, Any] = content.get("run", content)  # the demonstration keeps its run's record under "run"
    if "metrics" not in record:
        raise RunError(f"{path} was not written by a run: it has no 'metrics'")
    return record


def split_of(record: Mapping[str, Any], split: str | None, folder: Path) -> str:
    """The split to report: the one asked for, else test, else validation. Raises `RunError`."""
    measured = record["metrics"]
    for name in [split] if split else ["test", "validation"]:
        if name in measured:
            return str(name)
    wanted = f"split {split!r}" if split else "held-out split"
    raise RunError(f"{folder} has no {wanted}; measured: {', '.join(measured) or 'none'}")


def estimates(values: Mapping[str, Any]) -> dict[str, Estimate]:
    """Estimates out of a JSON file; null, which stands for "no cases", becomes NaN."""

    def number(value: Any) -> float:
        return float("nan") if value is None else float(value)

    return {
        name: Estimate(number(e["value"]), number(e["low"]), number(e["high"]), int(e["n"]))
        for name, e in values.items()
    }


def explained_of_run(folder: Path, split: str | None, data: Path | None, count: int) -> list[Example]:
    """`count` explained examples of a run's split, read from `data`, or from the generated world it was made on.

    Without either there are none. Raises `RunError`, `DataError`.
    """
    record = run_record(folder)
    name = split_of(record, split, folder)
    if count <= 0 or (data is None and record["generated_world"] is None):
        return []
    bundle = Bundle.load(folder / "bundle")
    section = bundle.recipe.data
    names = {"train": section.train, "validation": section.validation, "test": section.test}[name]
    rows = read_named(bundle.recipe, data or world_folder(bundle.recipe), names)[:CANDIDATES]
    answers = predict(bundle.model, bundle.task, bundle.dataset(rows))
    return explained(bundle, rows, answers, count)


def explained(bundle: Bundle, rows: Sequence[Row], answers: Sequence[Prediction], count: int) -> list[Example]:
    """Explanations of `count` rows: up to a quarter of them wrong ones, and as many types as there are.

    A row whose answer is not one text is neither right nor wrong here.
    """
    right: list[Row] = []
    wrong: list[Row] = []
    for row, answer in zip(rows, answers, strict=True):
        (right if is_correct(answer.answer, row.values.get("answer")) is not False else wrong).append(row)
    mistakes = one_of_each_type(wrong, int(count * LARGEST_SHARE_OF_MISTAKES) if right else count)
    chosen = [*one_of_each_type(right, count - len(mistakes)), *mistakes]
    shown = [explain_example(bundle, row) for row in chosen]
    return [Example(one, is_correct(one.prediction.answer, one.expected)) for one in shown]


def is_correct(answer: Any, expected: Any) -> bool | None:
    """Whether an answer is the expected one; None when there is none, or not exactly one."""
    if expected is None or isinstance(expected, float | list | tuple | Mapping):
        return None
    return str(answer) == str(expected)


def one_of_each_type(rows: Sequence[Row], count: int) -> list[Row]:
    """The first `count` rows in turns over the types of question, each about images of its own while there are any."""
    by_type: dict[str, list[Row]] = {}
    for row in rows:
        by_type.setdefault(_type(row), []).append(row)
    chosen: list[Row] = []
    pictures: set[str] = set()
    for turn in range(max(map(len, by_type.values()), default=0)):
        for kind in sorted(by_type):
            fresh = (row for row in by_type[kind][turn:] if _pictures(row) not in pictures)
            found = next(fresh, None)
            if found is not None and len(chosen) < count:
                chosen.append(found)
                pictures.add(_pictures(found))
    return chosen


def _type(row: Row) -> str:
    return str(next((row.info[key] for key in TYPES if row.info.get(key)), ""))


def _pictures(row: Row) -> str:
    images = row.values.get("images")
    return repr(images) if images else row.id


def _same_split(folder: Path, split: str) -> dict[str, Estimate]:
    return estimates(run_record(folder)["metrics"][split_of(run_record(folder), split, folder)])


def _journal(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
