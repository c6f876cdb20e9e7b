"""The options of training: the recipe's section `[training]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Schedule = Literal["linear", "constant", "cosine", "hold", "halving", "tenth"]
Precision = Literal["float32", "bfloat16", "float16"]
Kernel = Literal["measured", "default", "onednn"]


@dataclass(frozen=True)
class Training:
    """How a model is trained. Values are checked here; raises `ValueError` naming the value."""

    procedure: str = "ordinary"  # a file of training/procedures
    procedure_options: Mapping[str, Any] = field(default_factory=dict)

    start: str = ""  # what training begins with: a bundle, a published LXMERT or BERT, or word vectors
    start_options: Mapping[str, Any] = field(default_factory=dict)  # keywords of `initial.start_from`

    epochs: int = 4
    max_steps: int = 0  # ends training early, and the schedule with it; 0: the epochs decide
    max_seconds: float = 0.0  # a budget: if the machine is too slow, fewer steps and a faster schedule; 0: none
    batch_size: int = 32  # examples in one optimiser step, over all processes and accumulated parts
    accumulate: int = 1  # parts into which a batch is divided to save memory; the result is the same
    length_buckets: bool = True  # examples of like length share a batch, so that little is padded
    drop_last: bool = False  # leave out an epoch's last batch if it is not full

    optimizer: str = "adamw"  # a file of training/optimisers
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    lr: float = 5e-5  # the peak
    weight_decay: float = 0.01
    schedule: Schedule = "linear"  # the decay after the warm-up
    warmup: float = 0.1  # share of all steps in which the rate rises from 0 to `lr`
    plateau: int = 0  # validations without a better headline after which the rate falls, and so again; 0: never
    plateau_factor: float = 0.8  # what it is multiplied with then
    clip_norm: float = 1.0  # largest norm of all gradients together; 0: no clipping
    clip_value: float = 0.0  # largest size of each number of the gradients; 0: no clipping
    precision: Precision = "float32"  # of the forward pass; weights and optimiser stay float32

    evaluate_every: int = 0  # steps between validations; 0: once an epoch
    evaluate_limit: int = 0  # validation examples used while training (the first ones); 0: all
    evaluate_batch_size: int = 256
    early_stopping: int = 0  # validations without a better headline after which training ends; 0: never
    keep_best: bool = True  # end with the weights of the best validation, not the last ones

    kernel: Kernel = "measured"  # which one multiplies float32 on a CPU; "measured": the faster exact one
    seed: int = 0
    save_every_seconds: float = 300.0  # between checkpoints; one is also written after each validation; 0: never
    save_every_steps: int = 0  # the same in steps; 0: never
    log_every: int = 50  # steps in one line of log.jsonl
    prefetch: int = 2  # batches gathered ahead in a thread when a GPU computes; on a CPU both would share its cores
    trackers: tuple[str, ...] = ("tensorboard",)  # accelerate's trackers: "tensorboard", "wandb", ...

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate", "evaluate_batch_size", "log_every"):
            _require(self, name, getattr(self, name) >= 1, "at least 1")
        for name in (
            "max_steps",
            "max_seconds",
            "weight_decay",
            "clip_norm",
            "clip_value",
            "plateau",
            "early_stopping",
            "prefetch",
        ):
            _require(self, name, getattr(self, name) >= 0, "not negative")
        for name in ("evaluate_every", "evaluate_limit", "save_every_seconds", "save_every_steps"):
            _require(self, name, getattr(self, name) >= 0, "not negative")
        _require(self, "lr", self.lr > 0, "above 0")
        _require(self, "plateau_factor", 0 < self.plateau_factor <= 1, "above 0 and at most 1")
        _require(self, "warmup", 0 <= self.warmup < 1, "a share: at least 0 and below 1")
        _require(self, "accumulate", self.accumulate <= self.batch_size, f"at most batch_size {self.batch_size}")


def _require(options: Training, name: str, holds: bool, wanted: str) -> None:
    if not holds:
        raise ValueError(f"{name}: must be {wanted}, got {getattr(options, name)}")
