"""A published table run again: each row a recipe with its changes, our numbers beside the printed ones.

A row that begins with the weights of an earlier training (pre-training) names it as its stage; rows share stages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from chiasm.data.answers import normalise_answer, soft_scores
from chiasm.data.columns import EncodedDataset
from chiasm.metrics.compare import Comparison, permutation
from chiasm.metrics.estimate import Estimate
from chiasm.registry import nearest
from chiasm.tasks import Prediction
from chiasm.training.curves import EPOCHS_TO_BEST, epochs_to_best
from chiasm.training.errors import RecipeError
from chiasm.training.evaluate import noted
from chiasm.training.files import write_json
from chiasm.training.progress import progress
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import RunResult, train
from chiasm.training.table_file import Row, Stage, Table, load_table

__all__ = ["MeasuredRow", "Row", "Table", "load_table", "run_table"]

DATA = "{data}"  # in a setting: the data folder
Right = Mapping[str, tuple[float, str]]  # example -> what its answer scores, and the cluster that it belongs to


@dataclass(frozen=True)
class MeasuredRow:
    """A row with our numbers, one set for each seed; none for a row that is printed only."""

    row: Row
    seeds: tuple[Mapping[str, Estimate], ...] = ()
    right: tuple[Mapping[str, Right], ...] = ()  # for each seed, by part ("" in a table without parts)
    against: Mapping[str, Comparison] = field(default_factory=dict)  # minus the reference by part, all seeds together
    notes: Mapping[str, str] = field(default_factory=dict)  # how a measure was counted, where its name does not say it

    def estimate(self, measure: str) -> Estimate | None:
        """The mean over seeds; the interval is the mean of the seeds' intervals."""
        found = [metrics[measure] for metrics in self.seeds if measure in metrics]
        if not found:
            return None
        value, low, high = (fmean(getattr(e, name) for e in found) for name in ("value", "low", "high"))
        return replace(found[0], value=value, low=low, high=high)

    def spread(self, measure: str) -> float | None:
        """The standard deviation between seeds; None for fewer than two."""
        found = [metrics[measure].value for metrics in self.seeds if measure in metrics]
        return stdev(found) if len(found) > 1 else None


@dataclass(frozen=True)
class _Part:
    """What one training has come to."""

    metrics: Mapping[str, Estimate]
    right: Right
    notes: Mapping[str, str]


@dataclass(frozen=True)
class _Runs:
    """Where the runs of a table lie and what all of them share."""

    table: Table
    data: Path | None
    out: Path
    tiny: bool = False
    settings: Sequence[str] = ()
    show: bool | None = None

    def recipe(self, stage: Stage, seed: int, start: Path | None) -> Recipe:
        """The stage's recipe with all changes; one that begins with a bundle reads that bundle's word pieces."""
        recipe = load_recipe(stage.recipe).with_settings(self._placed(stage))
        begin = [] if start is None else [f"training.start={start}", f"text.vocabulary={start}/preprocessing/text"]
        return (recipe.tiny() if self.tiny else recipe).with_settings([*begin, *self.settings, f"training.seed={seed}"])

    def _placed(self, stage: Stage) -> list[str]:
        """The stage's settings with the data folder for "{data}"; tiny runs go without those that need it."""
        if self.data is None:
            needing = [setting for setting in stage.settings if DATA in setting]
            if needing and not self.tiny:
                raise RecipeError(f"{needing[0]}: this row needs files of the data folder (--data)")
            return [setting for setting in stage.settings if DATA not in setting]
        return [setting.replace(DATA, str(self.data)) for setting in stage.settings]

    def folder_of_data(self, part: str, recipe: Recipe) -> Path | None:
        """`<data>/<part>` where there is such a folder, else the data folder itself, which `several` sources share."""
        if self.data is None or not part or recipe.data.source == "several" or not (self.data / part).is_dir():
            return self.data
        return self.data / part

    def bundle(self, stage: str, seed: int) -> Path | None:
        """The bundle that the stage leaves, trained now unless it is there; None for no stage."""
        start = None
        for one in self.table.before(stage):
            folder = self.out / "stages" / _folder_name(one.name) / str(seed)
            recipe = self.recipe(one, seed, start)
            made_by, kept = _made_by(recipe, self.data), folder / "stage.json"
            if not (kept.is_file() and json.loads(kept.read_text(encoding="utf-8")) == made_by):
                again = kept.is_file()
                kept.unlink(missing_ok=True)
                data = self.folder_of_data("pretraining", recipe)
                train(recipe, data, folder, resume=not again, overwrite=again, show=self.show)
                write_json(kept, made_by)
            start = folder / "bundle"
        return start


def run_table(
    table: Table,
    data: Path | None,
    out: Path,
    *,
    seeds: int = 1,
    tiny: bool = False,
    only: Sequence[str] = (),
    settings: Sequence[str] = (),
    show: bool | None = None,
) -> list[MeasuredRow]:
    """Run the rows (those named in `only`, if any) with seeds 0, 1, ...; each run in `out/<row>[/<part>]/<seed>`.

    A run that is there already is read, not repeated, and one that was stopped goes on. `settings` are applied to
    every row and stage after its own. With parts, `data` may hold a folder for each of them, and "pretraining" for
    the stages. Raises `RecipeError`, `DataError`, `TrainingError`.
    """
    names = [row.name for row in table.rows]
    for name in only:
        if name not in names:
            raise RecipeError(nearest(name, names, what="row"))
    runs = _Runs(table, data, out, tiny, settings, show)
    measured: dict[str, list[dict[str, _Part]]] = {name: [] for name in names}
    wanted = [row for row in table.rows if table.runs(row) and (not only or row.name in only)]
    shown = progress(show)
    for seed in range(seeds):  # a whole table of the first seed is there before the second begins
        for place, row in enumerate(wanted, start=1):
            shown.note(f"{row.name}: row {place} of {len(wanted)}, seed {seed + 1} of {seeds}")
            measured[row.name].append(_run_row(runs, row, seed))
    shown.close()
    return _compared(table, [_row(row, measured[row.name]) for row in table.rows])


def _run_row(runs: _Runs, row: Row, seed: int) -> dict[str, _Part]:
    """All parts of a row with one seed."""
    start = runs.bundle(row.after, seed)
    place = runs.out / _folder_name(row.name)
    return {
        part.name: _run(runs, part, seed, start, place / _folder_name(part.name) / str(seed))
        for part in runs.table.runs(row)
    }


def _row(row: Row, seeds: Sequence[Mapping[str, _Part]]) -> MeasuredRow:
    """Metrics and notes by "<part>:<measure>", or by measure in a table without parts."""

    def named(part: str, values: Mapping[str, Any]) -> dict[str, Any]:
        return {f"{part}:{name}" if part else name: value for name, value in values.items()}

    metrics = tuple({k: v for name, part in one.items() for k, v in named(name, part.metrics).items()} for one in seeds)
    right = tuple({name: part.right for name, part in one.items()} for one in seeds)
    notes = {k: v for one in seeds for name, part in one.items() for k, v in named(name, part.notes).items()}
    return MeasuredRow(row, metrics, right, notes=notes)


def _run(runs: _Runs, part: Stage, seed: int, start: Path | None, folder: Path) -> _Part:
    """One training: its test metrics (or, without test splits, those of validation), and what each answer scores."""
    recipe, kept = runs.recipe(part, seed, start), folder / "row.json"
    state = _made_by(recipe, runs.data)
    if kept.is_file():
        before = json.loads(kept.read_text(encoding="utf-8"))
        if before["made_by"] == state:
            metrics = {name: Estimate.from_json(values) for name, values in before["metrics"].items()}
            scores = {name: (score, cluster) for name, (score, cluster) in before["right"].items()}
            return _Part(metrics, scores, before.get("notes", {}))
    data = runs.folder_of_data(part.name, recipe)
    result = train(recipe, data, folder, resume=not kept.is_file(), overwrite=kept.is_file(), show=runs.show)
    split = "test" if "test" in result.metrics else "validation"
    right = _right(result.predictions[split], result.splits[split])
    metrics = {**result.metrics[split], **_further(result, split)}
    record = {"made_by": state, "split": split, "metrics": metrics, "right": right}
    write_json(kept, record | noted(result.bundle.task))
    return _Part(metrics, right, result.bundle.task.notes())


def _further(result: RunResult, split: str) -> dict[str, Estimate]:
    """Beside a test's measures those of validation, and how soon training came close to its best."""
    found = {}
    if split == "test":
        found = {f"validation:{name}": value for name, value in result.metrics.get("validation", {}).items()}
    epochs = epochs_to_best(result.outcome.log, result.bundle.task.headline)
    return found if epochs is None else {**found, EPOCHS_TO_BEST: epochs}


def _made_by(recipe: Recipe, data: Path | None) -> dict[str, Any]:
    """What a run is recognised by, as it is read back from JSON."""
    state: dict[str, Any] = json.loads(json.dumps({"recipe": recipe.identity(), "data": str(data)}, default=list))
    return state


def _folder_name(name: str) -> str:
    return name.replace("/", "-").replace(" ", "_")


def _right(predictions: Sequence[Prediction], dataset: EncodedDataset) -> Right:
    """What each answer scores, where an example has one answer or annotators' answers; nothing otherwise."""
    answers = [example.values.get("answer") for example in dataset.examples]
    if not all(isinstance(answer, str | bool | int | list | tuple | Mapping) for answer in answers):
        return {}
    sets = {str(example.info.get("set") or "") for example in dataset.examples}
    only = sets.pop() if len(sets) == 1 else ""
    prefix = f"{only}/" if only else ""  # read as one of several sets: the same examples as without the others
    return {
        e.id.removeprefix(prefix): (_score(p.answer, answer), str(e.info.get("cluster", e.info.get("image_id", e.id))))
        for e, p, answer in zip(dataset.examples, predictions, answers, strict=True)
    }


def _score(said: Any, answer: Any) -> float:
    """1 or 0 for one true answer, the share of VQA's annotators for several."""
    if isinstance(answer, str | bool | int):
        return float(str(said) == str(answer))
    scores = soft_scores(answer)
    return scores.get(str(said), scores.get(normalise_answer(str(said)), 0.0))


def _compared(table: Table, found: Sequence[MeasuredRow]) -> list[MeasuredRow]:
    """The rows with a paired permutation test against the reference row by part, on the same examples and seeds."""
    reference = next((one.right for one in found if one.row.name == table.reference), ())
    compared = []
    for one in found:
        tests = {}
        both_run = one.right and reference and one.row.name != table.reference
        pairs = list(zip(one.right, reference, strict=True)) if both_run else []
        for part in dict.fromkeys(name for right, _ in pairs for name in right):
            test = _tested([(ours[part], theirs[part]) for ours, theirs in pairs if part in ours and part in theirs])
            if test is not None:
                tests[part] = test
        compared.append(replace(one, against=tests))
    return compared


def _tested(pairs: Sequence[tuple[Right, Right]]) -> Comparison | None:
    """The first of each pair against the second, of those with scores of the same examples."""
    same = [(a, b) for a, b in pairs if a and a.keys() == b.keys()]
    if not same:
        return None
    ours = [a[key][0] for a, _ in same for key in a]
    theirs = [b[key][0] for a, b in same for key in a]
    return permutation(ours, theirs, groups=[a[key][1] for a, _ in same for key in a])
