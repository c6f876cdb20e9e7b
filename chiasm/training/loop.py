"""The one training loop. Its step is a `Learner`; everything around the step is here: order, schedule, budget,
log, validation, early stopping, checkpoints, resume, interruption.

What a run does depends on its `RunState`, the learner and the random generators only, and all of these are in a
checkpoint: a run that was killed goes on to the same weights, bit for bit, on one CPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from chiasm.training.batches import Gatherer, Weighted, ahead
from chiasm.training.checkpoint import Checkpoints, Snapshot, load_module
from chiasm.training.errors import TrainingError
from chiasm.training.interrupt import StopRequest, interrupted
from chiasm.training.journal import Journal
from chiasm.training.learner import Learner
from chiasm.training.progress import Rate, Status
from chiasm.training.resume import capture, capture_modules, restore
from chiasm.training.sampler import Sampler
from chiasm.training.schedule import Plan, factor
from chiasm.training.setup import Ending, Outcome, Setup
from chiasm.training.validation import validate

_TOGETHER = 10  # steps between two agreements of several processes about stopping and saving


@dataclass
class RunState:
    """Where a run is: the plain values of a checkpoint."""

    plan: Plan
    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    step: int = 0
    seconds: float = 0.0  # of all sittings together
    validated: int = 0  # the step of the last validation
    headline: float = math.nan  # of the last validation
    best: float = -math.inf
    best_step: int = 0
    stale: int = 0  # validations since the best one
    slowed: float = 1.0  # what the rate is multiplied with after plateaus
    ended: bool = False  # by early stopping
    window: dict[str, float] = field(default_factory=dict)  # losses summed since the last line of the log
    window_steps: int = 0


class Loop:
    """Calls `learner.step` for every batch of every epoch. `name` keeps the files of several loops of a run apart."""

    def __init__(self, setup: Setup, learner: Learner, *, name: str = "") -> None:
        options = setup.options
        self.setup, self.learner, self.options = setup, learner, options
        lengths = setup.train.lengths() if options.length_buckets else None
        self.sampler = Sampler(
            len(setup.train), options.batch_size, options.seed, lengths=lengths, drop_last=options.drop_last
        )
        if len(self.sampler) == 0:
            raise TrainingError(
                f"{len(setup.train)} training examples make no full batch of {options.batch_size}; "
                "lower training.batch_size or set training.drop_last=false"
            )
        steps = options.epochs * len(self.sampler)
        total = min(steps, options.max_steps) if options.max_steps else steps
        self.state = RunState(Plan(total, total))
        self._gatherer = Gatherer(setup.train, setup.accelerator, options.accumulate)
        folder = setup.out / "checkpoints" / name
        self.checkpoints, self.best = Checkpoints(folder), Checkpoints(folder, "best")
        log = f"log-{name}.jsonl" if name else "log.jsonl"
        self.journal = Journal(setup.out / log, setup.accelerator, options.trackers)
        self._window: dict[str, Tensor] = {}
        self._validation_seconds = 0.0
        self._logged_loss = math.nan
        self._peaks = {name: [g["lr"] for g in o.param_groups] for name, o in learner.optimisers.items()}

    def run(self) -> Outcome:
        """Train from the start, or from the newest checkpoint when the setup says resume.

        Raises `Interrupted` after Ctrl-C, `TrainingError` when the loss is no number, `CheckpointError`.
        """
        try:
            with StopRequest() as self._stop:
                self._begin()
                while not self._ended():
                    self._epoch()
                self._end()
        finally:
            self.setup.progress.close()
            self.journal.close()
        return self._outcome()

    def _begin(self) -> None:
        """Go on from the newest checkpoint, or start."""
        snapshot = self.checkpoints.load() if self.setup.resume else None
        if snapshot is not None:
            restore(self.setup, self.learner, snapshot)
            self.state = _state_from(snapshot.state["run"])
            self._window = {k: torch.tensor(v, device=self._device) for k, v in self.state.window.items()}
            self.setup.progress.note(f"resumed after step {self.state.step} of {self.state.plan.end}")
        self.journal.start(self.state.step)
        self._started = time.monotonic() - self.state.seconds
        self._saved = self._shown = time.monotonic()
        self._rate = Rate(self.state.step)

    def _epoch(self) -> None:
        """The rest of the current epoch, or of the run if that is shorter."""
        state = self.state
        batches = self.sampler.batches(state.epoch)[state.batch :]
        self.setup.train.visit = (self.options.seed, state.epoch)
        # On a CPU a second thread, with kernels of its own, costs the step more than gathering does (1.6 times).
        prefetch = 0 if self._device.type == "cpu" else self.options.prefetch
        with ahead(self._gatherer.gather, batches, prefetch) as gathered:
            for parts in gathered:
                self._step(parts)
                if self._ended():
                    return
        if not self.options.evaluate_every:
            self._validate()
        state.epoch, state.batch = state.epoch + 1, 0
        self._save()
        self._heed()

    def _step(self, parts: Sequence[Weighted]) -> None:
        """One step and what is due after it."""
        state, options = self.state, self.options
        self._set_rates()
        for name, value in self.learner.step(self._gatherer.to_device(parts)).items():
            self._window[name] = self._window[name] + value if name in self._window else value
        state.step, state.batch, state.window_steps = state.step + 1, state.batch + 1, state.window_steps + 1
        now = time.monotonic()
        state.seconds = now - self._started
        if state.step % options.log_every == 0:
            self._log()
        if options.evaluate_every and state.step % options.evaluate_every == 0:
            self._validate()
            self._save()
        if now - self._shown > self.setup.progress.interval:
            self._show(now)
        self._agree(now)

    def _end(self) -> None:
        """The last validation and checkpoint; the best weights are put back."""
        if self.state.window_steps:
            self._log()
        self._validate()
        self._save()
        self._heed()
        self._show(time.monotonic())
        if self.options.keep_best and self.state.best_step and self.state.best_step != self.state.step:
            self.setup.accelerator.wait_for_everyone()
            snapshot = self.best.load()
            if snapshot is None:
                raise TrainingError(f"the best weights are missing from {self.best.folder}")
            for name, module in self.learner.modules.items():
                load_module(module, snapshot.tensors[name], str(self.best.folder))

    def _ended(self) -> bool:
        return self.state.ended or self.state.step >= self.state.plan.end

    def _outcome(self) -> Outcome:
        state = self.state
        in_time: Ending = "budget" if state.plan.end < state.plan.total else "epochs"
        kept = self.options.keep_best and state.best_step > 0
        headline = state.best if kept else state.headline
        return Outcome(
            steps=state.step,
            ended_by="early stopping" if state.ended else in_time,
            seconds=state.seconds,
            headline=None if math.isnan(headline) else headline,
            best_step=state.best_step or None,
            log=tuple(self.journal.lines),
        )

    @property
    def _device(self) -> torch.device:
        device: torch.device = self.setup.accelerator.device
        return device

    def _set_rates(self) -> None:
        state, options = self.state, self.options
        scale = state.slowed * factor(options.schedule, options.warmup, state.plan.share(state.step))
        for name, optimiser in self.learner.optimisers.items():
            for group, peak in zip(optimiser.param_groups, self._peaks[name], strict=True):
                group["lr"] = peak * scale

    def _agree(self, now: float) -> None:
        """Whether to stop, to save, and where to end: the same in all processes, as the first one's clock says."""
        state, options, accelerator = self.state, self.options, self.setup.accelerator
        together = accelerator.num_processes > 1
        save_now = options.save_every_steps and state.step % options.save_every_steps == 0
        if together and state.step % _TOGETHER:
            if save_now:  # every process knows it without asking the others
                self._save()
            return
        end = state.plan.end
        if options.max_seconds:
            end = state.plan.review(state.step, state.seconds, options.max_seconds, self._validation_seconds)
        stop, save = self._stop.requested, 0 < options.save_every_seconds < now - self._saved
        if together:
            said = torch.tensor([[stop, save, end]], dtype=torch.int64, device=self._device)
            heard = accelerator.gather(said)
            stop, save, end = bool(heard[:, 0].any()), bool(heard[0, 1]), int(heard[0, 2])
        state.plan.move(state.step, end)
        if stop or save or save_now:
            self._save()
        if stop:
            raise interrupted(state.step, state.plan.end, self.checkpoints.folder)

    def _heed(self) -> None:
        """Stop here if it was asked for during the validation, once that is saved."""
        if self._stop.in_any_process(self.setup.accelerator):
            raise interrupted(self.state.step, self.state.plan.end, self.checkpoints.folder)

    def _validate(self) -> None:
        """Measure the headline, keep the best weights, decide about early stopping. Once for each step."""
        state, options, validation = self.state, self.options, self.setup.validation
        if validation is None or state.validated == state.step:
            return
        started = time.monotonic()
        metrics = validate(self.setup)
        headline = metrics.get(self.setup.task.headline, math.nan)
        state.validated, state.headline = state.step, headline
        self.journal.write(step=state.step, epoch=state.epoch + 1, validation=metrics)
        if headline > state.best:
            state.best, state.best_step, state.stale = headline, state.step, 0
            if options.keep_best and self.setup.accelerator.is_main_process:
                self.best.save(Snapshot(state.step, capture_modules(self.learner), {"headline": headline}))
        else:
            state.stale += 1
            if options.plateau and state.stale % options.plateau == 0:
                state.slowed *= options.plateau_factor
            state.ended = bool(options.early_stopping) and state.stale >= options.early_stopping
        self._validation_seconds = time.monotonic() - started

    def _save(self) -> None:
        """Write a checkpoint (the first process does)."""
        state = self.state
        state.window = {name: float(value) for name, value in self._window.items()}
        self._check_finite(state.window)
        snapshot = capture(self.setup, self.learner, state.step, {"run": asdict(state)})
        if self.setup.accelerator.is_main_process:
            self.checkpoints.save(snapshot)
        self._saved = time.monotonic()
        state.seconds = self._saved - self._started

    def _log(self) -> None:
        """A line of the log: the mean losses since the last one."""
        state, window = self.state, self._window
        means = torch.stack(list(window.values())) / state.window_steps
        if self.setup.accelerator.num_processes > 1:
            means = self.setup.accelerator.reduce(means, "mean")
        losses = dict(zip(window, means.tolist(), strict=True))
        self._check_finite(losses)
        self.journal.write(
            step=state.step,
            epoch=state.epoch + 1,
            loss=sum(losses.values()),
            losses=losses,
            lr=next(iter(self.learner.optimisers.values())).param_groups[0]["lr"],
            seconds=round(state.seconds, 3),
        )
        self._logged_loss = sum(losses.values())
        self._window, state.window_steps = {}, 0

    def _show(self, now: float) -> None:
        self._shown = now
        if not self.setup.accelerator.is_main_process:
            return
        state, options = self.state, self.options
        loss = self._logged_loss
        if state.window_steps:
            loss = sum(float(v) for v in self._window.values()) / state.window_steps
        steps = state.plan.end
        left = self._rate.seconds_left(state.step, steps)
        epoch, epochs = min(state.epoch + 1, options.epochs), options.epochs
        measure = self.setup.task.headline
        status = Status(state.step, steps, epoch, epochs, loss, state.headline, state.seconds, left, measure)
        self.setup.progress.update(status)

    def _check_finite(self, losses: Mapping[str, float]) -> None:
        wrong = [name for name, value in losses.items() if not math.isfinite(value)]
        if wrong:
            kept = self.checkpoints.latest()
            raise TrainingError(
                f"the loss {', '.join(wrong)} is not a number at step {self.state.step} or up to "
                f"{self.state.window_steps} steps before; lower training.lr, or look for NaN in the features "
                f"(the last checkpoint is {kept.name if kept else 'none'})"
            )


def _state_from(values: Mapping[str, Any]) -> RunState:
    return RunState(**{**values, "plan": Plan(**values["plan"])})
