"""Exact resume: everything a run's future depends on, in safetensors and JSON.

A checkpoint is a folder `step-<n>` with one safetensors file per part (each module, each optimiser, the random
numbers) and `state.json`. It is written aside, forced to the disk and renamed, so that a folder with this name is
always complete; the previous one is deleted only then.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from chiasm.training.errors import CheckpointError
from chiasm.training.files import OLD, complete, remove, written_aside

FORMAT = 1
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Snapshot:
    """A run at one step: tensors by file and name, and plain values."""

    step: int
    tensors: Mapping[str, Tensors]
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one loop in one folder; only the newest of each kind is kept."""

    folder: Path
    kind: str = "step"  # "step" for resuming, "best" for the weights of the best validation

    def save(self, snapshot: Snapshot) -> Path:
        """Write a snapshot, then delete older ones. Raises `CheckpointError`; the older ones are then intact."""
        target = self.folder / f"{self.kind}-{snapshot.step:08d}"
        try:
            with written_aside(target) as aside:
                for name, tensors in snapshot.tensors.items():
                    save_file({k: t.contiguous() for k, t in tensors.items()}, aside / f"{name}.safetensors")
                state = {"format": FORMAT, "step": snapshot.step, **snapshot.state}
                (aside / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        except (OSError, SafetensorError) as error:
            kept = self.latest()
            intact = f"the previous one ({kept.name}) is intact" if kept else "there is no previous one"
            raise CheckpointError(f"cannot write the checkpoint {target}: {error}; {intact}") from error
        for path in self._all():
            if path != target:
                remove(path)
        return target

    def latest(self) -> Path | None:
        """The newest complete checkpoint."""
        found = self._all()
        return complete(found[-1]) if found else None

    def load(self) -> Snapshot | None:
        """The newest checkpoint, or None when there is none. Raises `CheckpointError` when it cannot be read."""
        path = self.latest()
        if path is None:
            return None
        try:
            state = json.loads((path / "state.json").read_text(encoding="utf-8"))
            tensors = {file.stem: load_file(file) for file in sorted(path.glob("*.safetensors"))}
        except (OSError, ValueError, SafetensorError) as error:
            raise CheckpointError(f"cannot read the checkpoint {path}: {error}; delete it to start anew") from error
        if state.get("format") != FORMAT:
            raise CheckpointError(f"{path} has format {state.get('format')}, this version reads {FORMAT}")
        return Snapshot(int(state["step"]), tensors, state)

    def clear(self) -> None:
        """Delete all of them."""
        for path in self._all():
            remove(path)

    def _all(self) -> list[Path]:
        """The names of all, the oldest first; `complete` says where each is."""
        names = {path.name.removesuffix(OLD) for path in self.folder.glob(f"{self.kind}-" + "[0-9]" * 8 + "*")}
        found = [self.folder / name for name in names if name.removeprefix(f"{self.kind}-").isdigit()]
        return sorted(path for path in found if complete(path).is_dir())


def module_tensors(module: nn.Module) -> Tensors:
    """The parameters and buffers; one that has two names (tied weights) is kept under the first."""
    seen: dict[tuple[int, int], str] = {}
    kept: Tensors = {}
    for name, tensor in module.state_dict().items():
        key = (tensor.untyped_storage().data_ptr(), tensor.storage_offset())
        if tensor.numel() and key in seen and kept[seen[key]].shape == tensor.shape:
            continue
        seen[key] = name
        kept[name] = tensor.detach()
    return kept


def load_module(module: nn.Module, tensors: Tensors, origin: str) -> None:
    """Put saved tensors into a module, strictly. Raises `CheckpointError` naming what does not fit."""
    expected = {name: tuple(tensor.shape) for name, tensor in module_tensors(module).items()}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if expected != given:
        wrong = sorted(n for n in expected.keys() | given.keys() if expected.get(n) != given.get(n))
        first = f"{wrong[0]}: {given.get(wrong[0], 'missing')} instead of {expected.get(wrong[0], 'nothing')}"
        raise CheckpointError(f"{origin} does not fit the model: {len(wrong)} tensors differ, e.g. {first}")
    with torch.no_grad():
        own = module.state_dict()
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def optimiser_tensors(optimiser: Optimizer) -> tuple[Tensors, dict[str, Any]]:
    """An optimiser's state as tensors ("<parameter>.<name>") and plain values (its groups and the rest)."""
    state = optimiser.state_dict()
    tensors: Tensors = {}
    values: dict[str, Any] = {}
    for number, entries in state["state"].items():
        for name, value in entries.items():
            key = f"{number}.{name}"
            if isinstance(value, Tensor):
                tensors[key] = value
            else:
                values[key] = value
    return tensors, {"groups": state["param_groups"], "values": values}


def load_optimiser(optimiser: Optimizer, tensors: Tensors, plain: Mapping[str, Any]) -> None:
    """What `optimiser_tensors` gave, back into an optimiser over the same parameters."""
    entries: dict[int, dict[str, Any]] = {}
    for key, value in [*tensors.items(), *plain["values"].items()]:
        number, name = key.split(".", 1)
        entries.setdefault(int(number), {})[name] = value
    groups = [{k: tuple(v) if k == "betas" else v for k, v in group.items()} for group in plain["groups"]]
    optimiser.load_state_dict({"state": entries, "param_groups": groups})


def random_tensors() -> Tensors:
    """The states of all generators a run may draw from: torch's, each GPU's, numpy's and Python's."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    assert kind == "MT19937"
    version, words, spare = random.getstate()
    states = {
        "torch": torch.get_rng_state(),
        "numpy": torch.from_numpy(np.asarray([*keys, position, has_gauss], dtype=np.int64)),
        "numpy_gauss": torch.tensor([gauss], dtype=torch.float64),
        "python": torch.tensor([version, *words], dtype=torch.int64),
        "python_gauss": torch.tensor([float("nan") if spare is None else spare], dtype=torch.float64),
    }
    for number in range(torch.cuda.device_count()):
        states[f"cuda{number}"] = torch.cuda.get_rng_state(number)
    return states


def load_random(states: Tensors) -> None:
    """What `random_tensors` gave, back into the generators."""
    torch.set_rng_state(states["torch"])
    *keys, position, has_gauss = states["numpy"].tolist()
    gauss = float(states["numpy_gauss"])
    np.random.set_state(("MT19937", np.asarray(keys, dtype=np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    version, *words = states["python"].tolist()
    spare = float(states["python_gauss"])
    random.setstate((version, tuple(words), None if spare != spare else spare))
    for number in range(torch.cuda.device_count()):
        if f"cuda{number}" in states:
            torch.cuda.set_rng_state(states[f"cuda{number}"], number)
