"""Examples as a paper's figure shows them: the image or images, the text, what was said, what is true.

Unlike the cards of an explanation they need no model, only the answers of a predictions file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL.Image import Image

from chiasm.data.example import DataError, Example
from chiasm.data.images import open_image
from chiasm.report.cards import answer_text
from chiasm.report.html import Html, tag
from chiasm.report.page import document
from chiasm.report.pictures import data_uri
from chiasm.tasks import BaseTask, Prediction


@dataclass(frozen=True)
class Option:
    """One of several that were offered."""

    text: str
    said: bool
    true: bool


@dataclass(frozen=True)
class Panel:
    """One example of the figure."""

    name: str
    images: tuple[Image, ...]
    text: str
    said: str
    true: str
    score: float | None  # of the answer, by the task's headline; None when the truth is not known
    options: tuple[Option, ...] = ()  # of the question, where answers are offered
    reasons: tuple[Option, ...] = ()  # and of the rationale


def panels(task: BaseTask, examples: Sequence[Example], predictions: Sequence[Prediction]) -> list[Panel]:
    """A panel for each prediction, in order. Raises `DataError` for one that belongs to no example."""
    by_id = {example.id: example for example in examples}
    found = []
    for prediction in predictions:
        if prediction.id not in by_id:
            raise DataError(f"there is no example {prediction.id!r}; are the predictions of another split?")
        found.append(_panel(task, by_id[prediction.id], prediction))
    return found


def read_predictions(path: Path) -> list[Prediction]:
    """The answers of a run's `predictions/<split>.jsonl`. Raises `DataError` when it is no such file."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            fields = json.loads(line)
            fields["alternatives"] = tuple((answer, p) for answer, p in fields.get("alternatives", ()))
            found.append(Prediction(**fields))
        except (ValueError, TypeError) as error:
            raise DataError(f"{path}, line {number} is no prediction ({error})") from error
    return found


def qualitative_page(parts: Mapping[str, Sequence[Panel]], *, title: str) -> str:
    """A self-contained page with a row of panels for each part, e.g. "VQA", "VCR", "NLVR2"."""
    sections = [
        tag("section", tag("h2", name), tag("div", *(_article(panel) for panel in shown), class_="cards"))
        for name, shown in parts.items()
    ]
    return document(title, tag("h1", title), *sections)


def _panel(task: BaseTask, example: Example, prediction: Prediction) -> Panel:
    options = _options(example, prediction, "choices", "answer")
    reasons = _options(example, prediction, "rationales", "rationale")
    true = example.values.get("answer")
    given = example.values.get("choices")
    said = prediction.answer
    if isinstance(given, list | tuple) and isinstance(said, int):
        said, true = given[said], None if true is None else given[true]
    return Panel(
        example.id,
        tuple(open_image(image) for image in example.values.get("images") or ()),
        str(example.values.get("text", "")),
        answer_text(said),
        "" if true is None else answer_text(true),
        None if true is None else float(task.evaluate([prediction], [example])[task.headline].value),
        options,
        reasons,
    )


def _options(example: Example, prediction: Prediction, role: str, part: str) -> tuple[Option, ...]:
    """What was offered, where the model was asked about it."""
    offered, heads = example.values.get(role), prediction.heads.get(part)
    if not isinstance(offered, list | tuple) or not isinstance(heads, Mapping):
        return ()
    said, true = heads.get("number"), example.values.get(part)
    return tuple(Option(str(text), n == said, n == true) for n, text in enumerate(offered))


def _article(panel: Panel) -> Html:
    pictures = [
        tag("div", tag("img", src=data_uri(image), alt=f"image {n} of example {panel.name}"), class_="picture")
        for n, image in enumerate(panel.images, 1)
    ]
    state = "open" if panel.score is None else "right" if panel.score >= 0.5 else "wrong"
    seen = tag("div", *pictures, class_=f"views n{len(pictures)}") if pictures else None
    said = [tag("h3", panel.text), *_lists(panel)] if panel.options or panel.reasons else _plain(panel)
    return tag("article", seen, tag("div", *said, class_="said"), class_=f"card {state}")


def _plain(panel: Panel) -> list[Html]:
    lines: list[Any] = [tag("h3", panel.text), tag("p", "said: ", tag("strong", panel.said))]
    return [*lines, tag("p", "true: ", tag("strong", panel.true))] if panel.true else lines


def _lists(panel: Panel) -> list[Html]:
    """The options, the said one bold, the true one marked."""
    found = []
    for title, options in (("answers", panel.options), ("rationales", panel.reasons)):
        lines = [
            tag("li", tag("strong", one.text) if one.said else one.text, " ✓" if one.true else None) for one in options
        ]
        if lines:
            found.append(tag("div", tag("p", f"{title} (bold: said, ✓: true)", class_="how"), tag("ul", *lines)))
    return found
