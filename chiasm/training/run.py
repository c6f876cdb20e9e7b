"""From a recipe to a trained, measured model: `train`.

<out>/recipe.toml            what was run
<out>/checkpoints/           step-<n> (to resume), best-<n>
<out>/log.jsonl  <out>/logs/ losses and validations; TensorBoard
<out>/metrics.json           every split's metrics with intervals, how training ended, the environment
<out>/predictions/<split>.jsonl
<out>/bundle/                the model for use (`chiasm.load`)
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from chiasm.data.columns import EncodedDataset
from chiasm.data.example import RowError
from chiasm.layers import kernels
from chiasm.metrics.estimate import Estimate
from chiasm.tasks import Prediction
from chiasm.training import schema
from chiasm.training.bundle import Bundle, build_model
from chiasm.training.data import BadRowPolicy, OnError, Prepared, Splits, prepare, read_splits
from chiasm.training.environment import environment
from chiasm.training.errors import RecipeError, TrainingError
from chiasm.training.evaluate import measure, noted, write_predictions
from chiasm.training.files import write_json
from chiasm.training.initial import start_from
from chiasm.training.procedures import procedure
from chiasm.training.progress import Progress, progress
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.setup import Outcome, Setup, accelerator_for


@dataclass(frozen=True)
class RunResult:
    """What `train` leaves, in memory. Of several processes only the first has metrics and predictions."""

    recipe: Recipe
    out: Path
    bundle: Bundle
    outcome: Outcome
    splits: Mapping[str, EncodedDataset]  # "train", "validation", "test": encoded, with targets
    metrics: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)  # split -> name -> estimate
    predictions: Mapping[str, Sequence[Prediction]] = field(default_factory=dict)  # split -> one for each example
    skipped: tuple[RowError, ...] = ()  # rows that were left out: bad ones, and held-out ones without an answer
    contents: str = ""  # the fingerprint of the splits as they were read


def train(
    recipe: Recipe | str | Path,
    data: Path | str | Splits | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    *,
    overwrite: bool = False,
    on_error: OnError = "stop",
    show: bool | None = None,
) -> RunResult:
    """Train, measure and bundle the recipe's model.

    - `recipe`: a recipe, the name of one, or the path of a TOML file
    - `data`: a folder (or file) that the recipe's source reads, or examples by split; None: the generated world
    - `out`: the run's folder, by default `runs/<recipe>`; `overwrite` allows one that holds another run
    - `resume`: go on from the newest checkpoint in `out`; without one, start
    - `on_error="skip"`: leave bad rows out (they are in `skipped`) instead of stopping at them
    - `show`: False shows nothing; otherwise a bar on a terminal and lines elsewhere

    Raises `RecipeError`, `DataError`, `CheckpointError`, `TrainingError`, and `Interrupted` after Ctrl-C.
    """
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    folder = Path(out) if out is not None else Path("runs") / chosen.name
    accelerator = accelerator_for(chosen.training, folder)
    shown = progress(show if accelerator.is_main_process else False)
    with kernels.using(_kernel(chosen, accelerator)):
        _seed(chosen.training.seed)
        with accelerator.main_process_first():
            prepared = _prepared(chosen, data, on_error, show=show is not False and accelerator.is_main_process)
        if accelerator.is_main_process:
            _make_folder(folder, chosen, resume=resume, overwrite=overwrite)
        accelerator.wait_for_everyone()
        return _run(chosen, prepared, data is None, folder, accelerator, shown, resume)


def _run(
    recipe: Recipe,
    prepared: Prepared,
    generated: bool,
    out: Path,
    accelerator: Accelerator,
    shown: Progress,
    resume: bool,
) -> RunResult:
    """Build, train, measure, bundle."""
    model = build_model(recipe, prepared.facts, prepared.task)
    if recipe.training.start:
        options = schema.of_function(start_from, skip=4).check(recipe.training.start_options, "training.start_options")
        start = Path(recipe.training.start)
        shown.note(f"begins with {start_from(model, prepared.task, prepared.preprocessors, start, **options)}")
    elif recipe.training.start_options.get("bert"):
        raise RecipeError("training.start_options.bert goes beside training.start; for a BERT alone set training.start")
    _seed(recipe.training.seed, accelerator.process_index)
    _introduce(recipe, prepared, model, shown)
    setup = Setup(
        model=model,
        task=prepared.task,
        train=prepared.splits["train"],
        validation=prepared.splits.get("validation"),
        options=recipe.training,
        out=out,
        accelerator=accelerator,
        progress=shown,
        resume=resume,
        identity={**recipe.identity(), "examples": prepared.order(), "contents": prepared.contents},
        further=prepared.splits,
    )
    outcome = procedure(recipe.training.procedure).run(setup, **recipe.training.procedure_options)
    bundle = Bundle(model.eval(), prepared.task, prepared.preprocessors, recipe)
    result = RunResult(
        recipe, out, bundle, outcome, prepared.splits, skipped=prepared.skipped, contents=prepared.contents
    )
    if accelerator.is_main_process:
        result = _measured(result, generated, shown)
    accelerator.wait_for_everyone()
    return result


def _measured(result: RunResult, generated: bool, shown: Progress) -> RunResult:
    """The result with metrics and predictions of the held-out splits, all of it written to the run's folder."""
    options, bundle, out = result.recipe.training, result.bundle, result.out
    metrics, predictions = {}, {}
    for split, dataset in result.splits.items():
        if split != "train":
            predictions[split], measured = measure(
                bundle.model, bundle.task, dataset, batch_size=options.evaluate_batch_size, progress=shown
            )
            write_predictions(predictions[split], out / "predictions" / f"{split}.jsonl")
            if measured:
                metrics[split] = measured
            else:
                shown.note(f"{split}: no example has an answer to compare with; answered, not measured")
    record = _record(result, metrics, generated)
    final = Bundle(bundle.model, bundle.task, bundle.preprocessors, bundle.recipe, record, environment(options.seed))
    final.save(out / "bundle")
    write_json(out / "metrics.json", record)
    return replace(result, bundle=final, metrics=metrics, predictions=predictions)


def _record(result: RunResult, metrics: Mapping[str, Mapping[str, Estimate]], generated: bool) -> dict[str, Any]:
    """What stands in metrics.json."""
    recipe, outcome = result.recipe, asdict(result.outcome)
    outcome.pop("log")
    return {
        "recipe": recipe.name,
        "title": recipe.title,
        "model": recipe.model,
        "task": recipe.task,
        "generated_world": dict(recipe.data.world or {}) if generated else None,
        "examples": {split: len(dataset) for split, dataset in result.splits.items()},
        "data_fingerprint": result.contents,
        "skipped_rows": [str(error) for error in result.skipped],
        "metrics": metrics,
        **noted(result.bundle.task),
        "training": outcome,
        "paper": recipe.paper,
        "environment": environment(recipe.training.seed),
    }


def _prepared(recipe: Recipe, data: Path | str | Splits | None, on_error: OnError, *, show: bool) -> Prepared:
    policy = BadRowPolicy(on_error)
    if isinstance(data, Mapping):
        return prepare(recipe, data, policy)
    folder = None if data is None else Path(data)
    return prepare(recipe, read_splits(recipe, folder, policy, show=show), policy)


def _make_folder(out: Path, recipe: Recipe, *, resume: bool, overwrite: bool) -> None:
    """The run's folder. Raises `TrainingError` when it holds a run and nobody said what to do with it."""
    held = [name for name in ("checkpoints", "bundle", "metrics.json") if (out / name).exists()]
    if held and not resume:
        if not overwrite:
            raise TrainingError(
                f"{out} holds a run already ({', '.join(held)}): "
                "resume it (--resume), overwrite it (--overwrite), or choose another folder (--out)"
            )
        for name in ("checkpoints", "bundle", "logs", "predictions"):
            shutil.rmtree(out / name, ignore_errors=True)
        (out / "metrics.json").unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    if not (resume and (out / "recipe.toml").exists()):
        (out / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")


def _kernel(recipe: Recipe, accelerator: Accelerator) -> kernels.Kernel:
    """The matrix kernel of the recipe; a GPU has its own, and the setting stays as it is."""
    if accelerator.device.type != "cpu":
        return kernels.current()
    return kernels.choice() if recipe.training.kernel == "measured" else recipe.training.kernel


def _introduce(recipe: Recipe, prepared: Prepared, model: torch.nn.Module, shown: Progress) -> None:
    """One line about what is going to be trained."""
    counts = ", ".join(f"{len(dataset):,} {split}" for split, dataset in prepared.splits.items())
    size = sum(parameter.numel() for parameter in model.parameters())
    skipped = f"; {len(prepared.skipped)} rows left out" if prepared.skipped else ""
    shown.note(f"{recipe.name}: {recipe.model}, {size / 1e6:.1f} M parameters; examples: {counts}{skipped}")


def _seed(seed: int, process: int = 0) -> None:
    """Python's, numpy's and torch's generators. Each process draws its own numbers once the model is built."""
    random.seed(seed + process)
    np.random.seed((seed + process) % 2**32)  # noqa: NPY002 - libraries may draw from the global generator
    torch.manual_seed(seed + process)
