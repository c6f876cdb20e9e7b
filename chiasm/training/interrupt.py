"""Ctrl-C and SIGTERM: finish the step or the validation, save, say how to go on."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import torch
from accelerate import Accelerator

from chiasm.training.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Inside the `with` block the first signal only sets `requested`; a second one ends at once, as usual.

    Outside the main thread, where Python has no signal handlers, it never becomes true.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def in_any_process(self, accelerator: Accelerator) -> bool:
        """Whether any process was asked to stop. Every process must call it."""
        if accelerator.num_processes == 1:
            return self.requested
        said = torch.tensor([self.requested], dtype=torch.int64, device=accelerator.device)
        return bool(accelerator.gather(said).any())

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


def interrupted(step: int, end: int, folder: Path) -> Interrupted:
    """What is raised once the checkpoint of `step` is in `folder`."""
    return Interrupted(
        f"stopped after step {step} of {end}; saved in {folder}; "
        "the same command with --resume (in Python: resume=True) goes on from there"
    )
