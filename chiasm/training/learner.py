"""What happens in one step. The loop calls it and knows nothing else about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Protocol

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.optim import Optimizer

from chiasm.batch import Batch
from chiasm.models import CrossModalModel
from chiasm.training.batches import Weighted
from chiasm.training.optimisers import optimiser
from chiasm.training.options import Training
from chiasm.training.predict import full_precision

StepLosses = Callable[[nn.Module, CrossModalModel, Batch], Mapping[str, Tensor]]


def model_losses(wrapped: nn.Module, model: CrossModalModel, batch: Batch) -> Mapping[str, Tensor]:
    """The model's own losses of one forward pass; `wrapped` is the model as Accelerate runs it."""
    return model.losses(full_precision(wrapped(batch)), batch)


class Learner(Protocol):
    """The modules and optimisers that make up a run's state, and one step on a batch.

    Adversarial and bilevel procedures have several of each; the loop scales every optimiser's rate and saves all.
    """

    modules: Mapping[str, nn.Module]
    optimisers: Mapping[str, Optimizer]

    def step(self, parts: Sequence[Weighted]) -> Mapping[str, Tensor]:
        """One update from the weighted parts of a batch -> the losses by name, detached, of the whole batch."""
        ...


class GradientLearner:
    """The ordinary step: the sum of the losses, its gradient, clipping, one optimiser.

    `losses` says what is minimised on a batch; by default the model's own losses. A procedure that needs more than
    one forward pass for them (adversarial training) passes a function of its own.
    """

    def __init__(
        self,
        model: CrossModalModel,
        options: Training,
        accelerator: Accelerator,
        losses: StepLosses = model_losses,
    ) -> None:
        model.to(accelerator.device)
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        build = optimiser(options.optimizer).build
        bare = build(named, options.lr, options.weight_decay, **options.optimizer_options)
        if accelerator.num_processes > 1:
            idle = bool(model.idle_parameters())
            accelerator.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=idle)
        self._wrapped, prepared = accelerator.prepare(model, bare)
        if accelerator.scaler is None and accelerator.device.type in ("cpu", "cuda"):
            prepared = bare  # accelerate's wrapper would add nothing but a search for packages in every step
        self._model, self._accelerator = model, accelerator
        self._clip_norm, self._clip_value = options.clip_norm, options.clip_value
        self._parameters = [p for _, p in named]
        self._losses = losses
        self.modules: Mapping[str, nn.Module] = {"model": model}
        self.optimisers: Mapping[str, Optimizer] = {"optimiser": prepared}

    def step(self, parts: Sequence[Weighted]) -> Mapping[str, Tensor]:
        """Forward and backward of each part, then one update."""
        self._wrapped.train()
        totals: dict[str, Tensor] = {}
        for number, (batch, weight) in enumerate(parts, start=1):
            last = number == len(parts)
            with nullcontext() if last else self._accelerator.no_sync(self._wrapped):
                losses = self._losses(self._wrapped, self._model, batch)
                loss = torch.stack(list(losses.values())).sum() if len(losses) > 1 else next(iter(losses.values()))
                self._accelerator.backward(loss if weight == 1 else loss * weight)
            for name, value in losses.items():
                part = value.detach() if weight == 1 else value.detach() * weight
                totals[name] = totals[name] + part if name in totals else part
        self._update()
        return totals

    def _update(self) -> None:
        if self._clip_value:
            self._accelerator.clip_grad_value_(self._parameters, self._clip_value)
        if self._clip_norm:
            self._accelerator.clip_grad_norm_(self._parameters, self._clip_norm)
        for prepared in self.optimisers.values():
            prepared.step()
            prepared.zero_grad()
