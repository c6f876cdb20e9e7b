"""The systems: a file here is a model, found by its name.

A model file defines `Config` (frozen dataclass of plain values) and `Model` (a subclass of `CrossModalModel`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from torch import Tensor, nn

from chiasm.batch import Batch, Output
from chiasm.objectives import Objective
from chiasm.registry import find, names


@dataclass(frozen=True)
class Evidence:
    """One kind of evidence a model gives: which recorded tensors, between which streams.

    `modules` are names of modules inside the model, in layer order; `record` keeps what each saw in one forward pass.
    """

    kind: str  # "attention", "gate", "affinity", "ranking", "relation", "instruction", "mask", "generated text"
    query: str  # the stream that looks: "text", "regions", ...
    key: str  # the stream looked at
    modules: tuple[str, ...]  # one per layer: recorded (rows, H, Q, K)
    title: str  # "language self-attention"


class CrossModalModel(nn.Module, ABC):
    """A system: `forward(batch) -> Output`, `losses(output, batch)`, and the evidence it can give.

    It knows nothing of devices, files, logging or recipes. `objectives` maps each head to its loss; a model with
    losses of its own overrides `losses`.
    """

    streams: ClassVar[frozenset[str]]  # the streams of Batch that it reads

    def __init__(self, config: Any, objectives: Mapping[str, Objective]) -> None:
        super().__init__()
        self.config = config
        self.objectives = dict(objectives)

    @abstractmethod
    def forward(self, batch: Batch) -> Output: ...

    def losses(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """head -> scalar loss; what is trained is their sum."""
        return {h: f(output.scores[h], batch.targets[h]) for h, f in self.objectives.items()}

    def evidence(self) -> tuple[Evidence, ...]:
        """The kinds of evidence this model gives; empty when it gives none."""
        return ()

    def hold(self, batch: Batch, output: Output) -> Batch:
        """The batch in which the answer of `output` is what is scored from now on, whatever else is changed.

        For models that make their answer word by word; where answers are chosen among given ones, nothing changes.
        """
        return batch

    def groups_lengths(self) -> bool:
        """Whether it passes texts of like length together by itself when it answers on a CPU.

        Then examples about one image are better in one batch than examples of like length.
        """
        return False

    def image_positions(self) -> int:
        """How many positions the encoder of whole images attends to: its summary first, then the patches.

        0: it reads no whole images, or cannot leave out single patches.
        """
        return 0

    def idle_parameters(self) -> frozenset[str]:
        """Names of parameters that get no gradient from the losses by design (stated, so that a test can check)."""
        return frozenset()


def model_names() -> list[str]:
    """All models."""
    return names(__name__, __path__)


def model(name: str) -> ModuleType:
    """The model file `name`; an unknown one is an error with the nearest known name."""
    return find(__name__, __path__, name, what="model")
