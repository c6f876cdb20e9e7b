"""A run's state out of its objects and back into them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from accelerate import Accelerator

from chiasm.layers import kernels
from chiasm.training.checkpoint import (
    Snapshot,
    Tensors,
    load_module,
    load_optimiser,
    load_random,
    module_tensors,
    optimiser_tensors,
    random_tensors,
)
from chiasm.training.errors import CheckpointError
from chiasm.training.learner import Learner
from chiasm.training.setup import Setup


def capture_modules(learner: Learner) -> dict[str, Tensors]:
    """The weights alone."""
    return {name: module_tensors(module) for name, module in learner.modules.items()}


def capture(setup: Setup, learner: Learner, step: int, state: Mapping[str, Any]) -> Snapshot:
    """All of a run. Every process must call it, because each has random generators of its own."""
    tensors = capture_modules(learner)
    plain: dict[str, Any] = {}
    for name, optimiser in learner.optimisers.items():
        tensors[name], plain[name] = optimiser_tensors(optimiser)
    tensors["random"] = _all_random(setup.accelerator)
    scaler = setup.accelerator.scaler
    return Snapshot(
        step,
        tensors,
        {
            **state,
            "optimisers": plain,
            "scaler": None if scaler is None else scaler.state_dict(),
            "identity": dict(setup.identity),
            "machine": _machine(setup.accelerator),
        },
    )


def restore(setup: Setup, learner: Learner, snapshot: Snapshot) -> None:
    """Put a snapshot back. Raises `CheckpointError` when it is another run's; warns when the machine differs."""
    _check_identity(setup.identity, snapshot.state["identity"])
    _check_machine(_machine(setup.accelerator), snapshot.state["machine"])
    for name, module in learner.modules.items():
        load_module(module, snapshot.tensors[name], f"the checkpoint of step {snapshot.step}")
    for name, optimiser in learner.optimisers.items():
        load_optimiser(optimiser, snapshot.tensors.get(name, {}), snapshot.state["optimisers"][name])
    if setup.accelerator.scaler is not None and snapshot.state["scaler"]:
        setup.accelerator.scaler.load_state_dict(snapshot.state["scaler"])
    kernels.use(snapshot.state["machine"]["kernel"])
    prefix = f"{setup.accelerator.process_index}."
    own = {k.removeprefix(prefix): t for k, t in snapshot.tensors["random"].items() if k.startswith(prefix)}
    if own:
        load_random(own)


def _all_random(accelerator: Accelerator) -> Tensors:
    """The random states of every process: "<process>.<name>"."""
    states = random_tensors()
    if accelerator.num_processes == 1:
        return {f"0.{name}": state for name, state in states.items()}
    gathered = {n: accelerator.gather(s[None].to(accelerator.device)).cpu() for n, s in states.items()}
    return {f"{rank}.{n}": s for n, rows in gathered.items() for rank, s in enumerate(rows)}


def _machine(accelerator: Accelerator) -> dict[str, Any]:
    """What exactness depends on besides the recipe."""
    return {
        "processes": accelerator.num_processes,
        "threads": torch.get_num_threads(),
        "device": accelerator.device.type,
        "torch": torch.__version__,
        "kernel": kernels.current(),
    }


def _check_identity(now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    if "contents" in now and "contents" not in before:
        warnings.warn(
            "the checkpoint is of an earlier version, which noted its examples' ids and not what they say: "
            "make sure that the data are the same",
            stacklevel=2,
        )
        now = {key: value for key, value in now.items() if key != "contents"}
    changed = [
        f"{key}: {now.get(key, 'not set')}, was {before.get(key, 'not set')}"
        for key in sorted(now.keys() | before.keys())
        if now.get(key) != before.get(key)
    ]
    if changed:
        raise CheckpointError(
            "the checkpoint belongs to another recipe or other data and cannot be resumed with this one "
            f"({'; '.join(changed)}); undo the change, or start anew in another output folder"
        )


def _check_machine(now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    changed = [f"{k} {now[k]}, was {before.get(k)}" for k in now if k != "kernel" and now[k] != before.get(k)]
    if changed:
        warnings.warn(
            f"resumed under other conditions ({', '.join(changed)}): the result is as good, "
            "but not bit for bit that of an uninterrupted run",
            stacklevel=2,
        )
