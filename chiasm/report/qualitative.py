"""Examples as a paper's figure shows them: the image or images, the text, what was said, what is true.

Unlike the cards of an explanation they need no model, only the answers of a predictions file. Where a data set says
what objects are called in its texts and where they are (VCR), those that a text names are framed on the image.
"""

from __future__ import annotations

import json
import re
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
class Named:
    """An object of the image under the name that the texts give it."""

    name: str
    box: tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels


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
    objects: tuple[Named, ...] = ()  # of the image, as far as the texts name them


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
        _named(example, [str(example.values.get("text", "")), *(one.text for one in (*options, *reasons))]),
    )


def _named(example: Example, texts: Sequence[str]) -> tuple[Named, ...]:
    """The objects that are called by name in the texts, where their boxes are at hand."""
    called, file = example.info.get("called"), example.info.get("boxes_file")
    if not called or file is None or not Path(file).is_file():
        return ()
    boxes = json.loads(Path(file).read_text(encoding="utf-8"))["boxes"]
    if len(boxes) != len(called):
        raise DataError(f"{file} has {len(boxes)} boxes, but example {example.id} names {len(called)} objects")
    said = [name for name in called if any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts)]
    return tuple(Named(name, tuple(box[:4])) for name, box in zip(called, boxes, strict=True) if name in said)


def _options(example: Example, prediction: Prediction, role: str, part: str) -> tuple[Option, ...]:
    """What was offered, where the model was asked about it."""
    offered, heads = example.values.get(role), prediction.heads.get(part)
    if not isinstance(offered, list | tuple) or not isinstance(heads, Mapping):
        return ()
    said, true = heads.get("number"), example.values.get(part)
    return tuple(Option(str(text), n == said, n == true) for n, text in enumerate(offered))


def _article(panel: Panel) -> Html:
    pictures = [
        tag(
            "div",
            tag("img", src=data_uri(image), alt=f"image {n} of example {panel.name}"),
            _frames(panel.objects, image) if n == 1 and panel.objects else None,
            class_="picture",
        )
        for n, image in enumerate(panel.images, 1)
    ]
    state = "open" if panel.score is None else "right" if panel.score >= 0.5 else "wrong"
    seen = tag("div", *pictures, class_=f"views n{len(pictures)}") if pictures else None
    said = [tag("h3", panel.text), *_lists(panel)] if panel.options or panel.reasons else _plain(panel)
    return tag("article", seen, tag("div", *said, class_="said"), class_=f"card {state}")


def _frames(objects: Sequence[Named], image: Image) -> Html:
    """Boxes with names over an image, in its own pixels."""
    letter = image.width / 28
    drawn = []
    for one in objects:
        x1, y1, x2, y2 = one.box
        place = {"x": f"{x1:.1f}", "y": f"{y1:.1f}", "width": f"{x2 - x1:.1f}", "height": f"{y2 - y1:.1f}"}
        frame = tag(
            "rect",
            **place,
            style="fill:none;stroke:rgb(232 89 12);stroke-width:2px",
            vector_effect="non-scaling-stroke",
        )
        style = f"font-size:{letter:.1f}px;stroke-width:{letter / 5:.1f}px"
        drawn += [
            frame,
            tag("text", one.name, x=f"{x1 + letter / 4:.1f}", y=f"{y1 + letter:.1f}", class_="number", style=style),
        ]
    return tag("svg", *drawn, viewBox=f"0 0 {image.width} {image.height}", aria_hidden="true")


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
