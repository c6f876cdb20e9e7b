"""The same recipe trained once for each fold of its rows: `cross_validate`.

<out>/fold-<k>/        a run each, as `train` leaves it
<out>/folds.json       every metric: its mean over the folds with an interval, and its value in each fold

# Differs: the paper says "4-fold cross-validation"; as in the released code a fifth of the rows is first set aside for
validation, the same for every fold, and the folds divide the rest.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.model_selection import KFold, train_test_split

from chiasm.data.example import DataError, Example
from chiasm.metrics.estimate import Estimate
from chiasm.tasks import Prediction
from chiasm.training.data import BadRowPolicy, OnError, Splits, read_splits
from chiasm.training.errors import RecipeError
from chiasm.training.files import write_json
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import train

SEED = 5  # the released code's random_state
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Folds:
    """What the folds gave. Each row outside the validation rows is predicted once, by a model that never saw it."""

    metrics: Mapping[str, Estimate]  # the mean over folds; n is the number of folds
    by_fold: Mapping[str, Sequence[float]]
    predictions: Sequence[Prediction]  # of all folds' test rows
    examples: Sequence[Example]  # those rows
    seconds_per_epoch: float  # of training, without reading and measuring at the end
    peak_bytes: int  # the most memory that this process has held so far


def cross_validate(
    recipe: Recipe | str | Path,
    data: Path | str | Sequence[Example] | None = None,
    out: Path | str | None = None,
    *,
    folds: int = 4,
    seed: int = SEED,
    resume: bool = False,
    overwrite: bool = False,
    on_error: OnError = "stop",
    show: bool | None = None,
) -> Folds:
    """Train and test `recipe` on every fold of its rows: all its splits together, or the given examples.

    Raises what `train` raises, and `DataError` when there are too few rows for so many folds.
    """
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    folder = Path(out) if out is not None else Path("runs") / f"{chosen.name}-folds"
    examples = _examples(chosen, data, on_error, show=show is not False)
    by_fold: dict[str, list[float]] = {}
    predictions: list[Prediction] = []
    tested: list[Example] = []
    seconds = 0.0
    for number, splits in enumerate(divided(examples, folds, seed), start=1):
        result = train(
            chosen, splits, folder / f"fold-{number}", resume, overwrite=overwrite, on_error=on_error, show=show
        )
        if "test" not in result.metrics:
            raise DataError(f"none of the {len(splits['test'])} test rows of fold {number} has an answer")
        for name, estimate in result.metrics["test"].items():
            by_fold.setdefault(name, []).append(estimate.value)
        predictions += result.predictions["test"]
        tested += result.splits["test"].examples
        seconds += result.outcome.seconds / chosen.training.epochs / folds
    metrics = {name: mean_of_folds(values) for name, values in by_fold.items()}
    found = Folds(metrics, by_fold, predictions, tested, seconds, peak_bytes())
    write_json(folder / "folds.json", _record(chosen, found, seed))
    return found


def divided(examples: Sequence[Example], folds: int, seed: int = SEED) -> Iterator[Splits]:
    """The splits of each fold: train, validation (the same rows for all), test (each other row once).

    Rows are divided exactly as the released code divides them with this seed. Raises DataError, ValueError.
    """
    if folds < 2:
        raise ValueError(f"folds is {folds}; at least 2 are needed")
    if len(examples) * (1 - VALIDATION_SHARE) < 2 * folds:
        raise DataError(f"{len(examples)} rows are too few for {folds} folds")
    rest, validation = train_test_split(np.arange(len(examples)), test_size=VALIDATION_SHARE, random_state=seed)
    for train_places, test_places in KFold(folds, shuffle=True, random_state=seed).split(rest):
        yield {
            "train": [examples[i] for i in rest[train_places]],
            "validation": [examples[i] for i in validation],
            "test": [examples[i] for i in rest[test_places]],
        }


def mean_of_folds(values: Sequence[float]) -> Estimate:
    """The mean with Student's 95 % interval from the spread of the folds, which share training rows: a rough guide."""
    mean = float(np.mean(values))
    if len(values) < 2 or math.isnan(mean):
        return Estimate(mean, math.nan, math.nan, len(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return Estimate(mean, mean - half, mean + half, len(values))


def peak_bytes() -> int:
    """The most memory that this process has held."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024  # Linux counts kilobytes


def _examples(
    recipe: Recipe, data: Path | str | Sequence[Example] | None, on_error: OnError, *, show: bool
) -> list[Example]:
    """All rows with distinct ids."""
    if data is None or isinstance(data, str | Path):
        splits = read_splits(recipe, None if data is None else Path(data), BadRowPolicy(on_error), show=show)
        data = [example for split in splits.values() for example in split]
    twice = len(data) - len({example.id for example in data})
    if twice:  # ids are numbers counted from 0 in each file when no column is the id
        data = [replace(example, id=f"{number}") for number, example in enumerate(data)]
    return list(data)


def _record(recipe: Recipe, found: Folds, seed: int) -> dict[str, object]:
    """What stands in folds.json."""
    if not found.by_fold:
        raise RecipeError("no metric was measured")
    return {
        "recipe": recipe.name,
        "title": recipe.title,
        "folds": len(next(iter(found.by_fold.values()))),
        "seed": seed,
        "metrics": found.metrics,
        "by_fold": found.by_fold,
        "rows": len(found.examples),
        "seconds_per_epoch": found.seconds_per_epoch,
        "peak_bytes": found.peak_bytes,
        "paper": recipe.paper,
        "written": time.strftime("%Y-%m-%d"),
    }
