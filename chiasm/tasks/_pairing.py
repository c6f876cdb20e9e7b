"""Predictions beside the examples they answer, and the task file of a bundle."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, Example
from chiasm.tasks import Prediction

STATE_FILE = "task.json"


def paired(predictions: Sequence[Prediction], examples: Sequence[Example]) -> list[Prediction]:
    """The predictions in the examples' order, one for each. Raises DataError naming ids that do not fit."""
    if not examples:
        raise DataError("there are no examples to measure")
    wanted = [example.id for example in examples]
    given = [prediction.id for prediction in predictions]
    _refuse("several examples have the id", (i for i, n in Counter(wanted).items() if n > 1))
    _refuse("several predictions for the id", (i for i, n in Counter(given).items() if n > 1))
    _refuse("no prediction for the id", set(wanted) - set(given))
    _refuse("a prediction for the unknown id", set(given) - set(wanted))
    found = {prediction.id: prediction for prediction in predictions}
    return [found[i] for i in wanted]


def gold(examples: Sequence[Example], labelled: Callable[[Example], bool]) -> list[Any]:
    """The examples' answers. Raises DataError naming those that are not `labelled`, since they cannot be measured."""
    _refuse("no answer to compare with for the id", (example.id for example in examples if not labelled(example)))
    return [example.values.get("answer") for example in examples]


def images_of(examples: Sequence[Example]) -> list[str]:
    """What intervals resample: the image of each example as far as it has a name, else the example itself."""
    return [_image(example) for example in examples]


def _image(example: Example) -> str:
    if "image_id" in example.info:
        return str(example.info["image_id"])
    images = example.values.get("images") or ()
    named = [str(image) for image in images if isinstance(image, str | Path)]
    return "\n".join(named) if named and len(named) == len(images) else example.id


def _refuse(problem: str, ids: Iterable[str]) -> None:
    found = sorted(ids)
    if found:
        shown = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        raise DataError(f"{problem} {shown} ({len(found)} in all)")


def save_state(folder: Path, name: str, options: Mapping[str, Any], **learnt: Any) -> None:
    """Write `task.json`: the task's name, its options and what it learnt."""
    state = {"name": name, "options": dict(options), **learnt}
    (folder / STATE_FILE).write_text(json.dumps(state, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def load_state(folder: Path, name: str, *learnt: str) -> dict[str, Any]:
    """What `save_state` wrote: a mapping with "options" and the keys `learnt`. Raises DataError if it is not that."""
    path = folder / STATE_FILE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a task file: {error}") from error
    if not isinstance(state, dict) or state.get("name") != name:
        found = state.get("name") if isinstance(state, dict) else type(state).__name__
        raise DataError(f"{path}: expected the state of task {name!r}, found {found!r}")
    missing = [key for key in ("options", *learnt) if key not in state]
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}")
    return state
