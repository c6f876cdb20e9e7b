"""The written record of a run: `log.jsonl`, and TensorBoard or another tracker of accelerate's."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from chiasm.training.errors import TrainingError
from chiasm.training.files import to_plain

_PIP = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow", "comet_ml": "comet-ml", "aim": "aim"}


class Journal:
    """One JSON line for every group of steps and every validation; the same numbers go to the trackers.

    After a resume the lines later than the checkpoint are dropped, so that no step is in the file twice.
    """

    def __init__(self, path: Path, accelerator: Accelerator, trackers: Sequence[str]) -> None:
        self._path, self._accelerator, self._trackers = path, accelerator, list(trackers)
        self._started = False
        self.lines: list[dict[str, Any]] = []

    def start(self, step: int) -> None:
        """Begin, or go on after `step` steps."""
        self.lines = [line for line in read_journal(self._path) if line["step"] <= step] if step else []
        if self._accelerator.is_main_process:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            text = "".join(_text(line) for line in self.lines)
            self._path.write_text(text, encoding="utf-8")
            self._start_trackers(step)

    def write(self, **line: Any) -> None:
        """Append a line; its numbers also go to the trackers."""
        self.lines.append(line)
        if not self._accelerator.is_main_process:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_text(line))
        if self._started:
            numbers = {name: value for name, value in _flat(line) if name != "step"}
            self._accelerator.log(numbers, step=line["step"])

    def close(self) -> None:
        """Finish the trackers' files."""
        if self._started:
            self._accelerator.end_training()
            self._started = False

    def _start_trackers(self, step: int) -> None:
        if not self._trackers:
            return
        try:
            keywords = {"tensorboard": {"purge_step": step + 1}} if "tensorboard" in self._trackers else {}
            self._accelerator.init_trackers("logs", init_kwargs=keywords)
        except (ImportError, ValueError) as error:
            line = " ".join(_PIP.get(name, name) for name in self._trackers)
            raise TrainingError(
                f"tracker {', '.join(self._trackers)}: {error}; `pip install {line}`, or set training.trackers=[]"
            ) from error
        self._started = True


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The lines of a log file; a line cut off by a kill is left out. A number that is null was undefined: NaN."""
    lines: list[dict[str, Any]] = []
    if not path.exists():
        return lines
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text, object_hook=_with_nan))
        except json.JSONDecodeError:
            break
    return lines


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(to_plain(line), allow_nan=False) + "\n"


def _with_nan(values: dict[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in values.items()}


def _flat(line: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """The numbers of a line by path, for trackers."""
    numbers: list[tuple[str, float]] = []
    for key, value in line.items():
        if isinstance(value, Mapping):
            numbers += _flat(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers.append((f"{prefix}{key}", float(value)))
    return numbers
