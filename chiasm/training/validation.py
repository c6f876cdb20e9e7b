"""A model measured while it trains."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from chiasm.training.errors import TrainingError
from chiasm.training.predict import predict
from chiasm.training.setup import Setup


def validate(setup: Setup) -> Mapping[str, float]:
    """The task's metrics on the validation examples: all of them in the first process, the headline in the others.

    Raises `TrainingError` when the task does not give its headline.
    """
    name, accelerator = setup.task.headline, setup.accelerator
    metrics = _measured(setup) if accelerator.is_main_process else {}
    if accelerator.num_processes > 1:
        value = metrics.get(name, math.nan)
        said = torch.tensor([value], dtype=torch.float32, device=accelerator.device)
        metrics = {**metrics, name: float(accelerator.gather(said)[0])}
    return metrics


def _measured(setup: Setup) -> dict[str, float]:
    validation, options = setup.validation, setup.options
    assert validation is not None
    limit = min(options.evaluate_limit or len(validation), len(validation))
    answers = predict(
        setup.model,
        setup.task,
        validation,
        batch_size=options.evaluate_batch_size,
        device=setup.accelerator.device,
        positions=torch.arange(limit),
    )
    estimates = setup.task.evaluate(answers, validation.examples[:limit])
    if setup.task.headline not in estimates:
        known = ", ".join(estimates)
        raise TrainingError(f"task {setup.task.name!r} gave {known}, but not its headline {setup.task.headline!r}")
    return {name: estimate.value for name, estimate in estimates.items()}
