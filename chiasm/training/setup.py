"""What a procedure is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import ProjectConfiguration

from chiasm.data.columns import EncodedDataset
from chiasm.models import CrossModalModel
from chiasm.tasks import BaseTask
from chiasm.training.errors import TrainingError
from chiasm.training.options import Training
from chiasm.training.progress import Progress, Quiet

Ending = Literal["epochs", "budget", "early stopping", "closed form"]

_MIXED = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


@dataclass(frozen=True)
class Setup:
    """Everything a procedure may use. It knows nothing of recipes and sources."""

    model: CrossModalModel
    task: BaseTask
    train: EncodedDataset
    validation: EncodedDataset | None
    options: Training
    out: Path  # checkpoints, logs and log.jsonl go here
    accelerator: Accelerator
    progress: Progress = field(default_factory=Quiet)
    resume: bool = False
    identity: Mapping[str, Any] = field(default_factory=dict)  # what must be equal for a run to be resumed
    further: Mapping[str, EncodedDataset] = field(default_factory=dict)  # further splits, e.g. "meta"


@dataclass(frozen=True)
class Outcome:
    """How a procedure ended; the weights to keep are in the setup's model."""

    steps: int
    ended_by: Ending
    seconds: float
    headline: float | None = None  # of the kept weights on the validation examples used while training
    best_step: int | None = None
    log: tuple[Mapping[str, Any], ...] = ()  # the lines of log.jsonl


def accelerator_for(options: Training, out: Path) -> Accelerator:
    """Accelerate's handle on devices, processes and precision. Raises `TrainingError` for an impossible precision."""
    AcceleratorState._reset_state()  # an earlier run of this process may have had another precision
    try:
        return Accelerator(
            mixed_precision=_MIXED[options.precision],
            log_with=list(options.trackers) or None,
            project_config=ProjectConfiguration(project_dir=str(out), logging_dir=str(out)),
        )
    except (ImportError, ValueError) as error:
        raise TrainingError(f"precision {options.precision}, trackers {options.trackers}: {error}") from error
