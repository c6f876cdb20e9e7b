"""A run's folder as a report: its metrics, curves and environment, beside other runs, with explained examples."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chiasm.metrics.estimate import Estimate
from chiasm.report.choice import CANDIDATES, explained
from chiasm.report.contents import Example, Report
from chiasm.training.bundle import Bundle
from chiasm.training.data import BadRowPolicy, read_measured, read_named, world_folder
from chiasm.training.journal import read_journal
from chiasm.training.predict import predict

__all__ = ["RunError", "explained", "explained_of_run", "report_of_run", "run_record"]

BASELINES = {  # keys that the demonstration writes into metrics.json -> what the page calls them
    "question_only": "question only",
    "majority": "majority answer",
    "shuffled_images": "shuffled images",
}


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
        baselines={
            **_demo_baselines(folder),
            **{name: other[headline] for name, other in others.items() if headline in other},
        },
        baseline_parts=others,
        paper={} if generated else record["paper"],
        journal=read_journal(folder / "log.jsonl"),
        examples=examples,
        recipe=bundle.recipe.to_toml(),
        data={**{f"{name} examples": count for name, count in record["examples"].items()}, **world},
        environment=record["environment"],
        notes=[f"{name}: {note}" for name, note in record.get("notes", {}).items()],
    )


def run_record(folder: Path) -> dict[str, Any]:
    """What a run wrote into its metrics.json. Raises `RunError`."""
    content = _content(folder)
    record: dict[str, Any] = content.get("run", content)  # the demonstration keeps its run's record under "run"
    if "metrics" not in record:
        raise RunError(f"{folder / 'metrics.json'} was not written by a run: it has no 'metrics'")
    return record


def _content(folder: Path) -> dict[str, Any]:
    path = folder / "metrics.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} holds no finished run: {path.name} cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} was not written by a run: it holds no JSON object")
    return content


def _demo_baselines(folder: Path) -> dict[str, Estimate]:
    """What the demonstration measured beside its model; empty for another run."""
    content = _content(folder)
    return {name: estimates({key: content[key]})[key] for key, name in BASELINES.items() if key in content}


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
    folder, policy = data or world_folder(bundle.recipe), BadRowPolicy("skip")
    if names:
        rows = read_named(bundle.recipe, folder, names, policy)
    else:  # a share of the training rows was held out
        rows = read_measured(bundle.recipe, folder, None, policy, bundle.metrics.get("data_fingerprint"))[0]
    rows = random.Random(0).sample(rows, min(CANDIDATES, len(rows)))
    answers = predict(bundle.model, bundle.task, bundle.dataset(rows))
    return explained(bundle, rows, answers, count)


def _same_split(folder: Path, split: str) -> dict[str, Estimate]:
    return estimates(run_record(folder)["metrics"][split_of(run_record(folder), split, folder)])
