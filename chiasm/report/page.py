"""One self-contained HTML page: styles and pictures inside it, nothing fetched, no script."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from chiasm.explain.explanation import Explanation
from chiasm.report import sections
from chiasm.report.contents import Example, Report
from chiasm.report.html import Html, tag
from chiasm.version import __version__


def render(report: Report) -> str:
    """The page of a run."""
    parts = [
        sections.header(report),
        sections.headline(report),
        sections.types(report),
        sections.training(report),
        sections.examples(report),
        sections.faithfulness(report),
        sections.details(report),
    ]
    return document(report.title, *parts)


def render_explanations(
    explanations: Sequence[Explanation], *, title: str = "Explanations", generated: bool = False
) -> str:
    """A page of explained examples without a run: what `chiasm explain` writes."""
    report = Report(title=title, metrics={}, generated=generated, examples=[Example(e, None) for e in explanations])
    parts = [sections.header(report), sections.examples(report), sections.faithfulness(report)]
    return document(title, *parts)


def write_page(text: str, path: Path | str) -> Path:
    """Write a page beside its place and move it there, so that a full disk leaves the former page whole."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    aside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(0o644)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return target


def document(title: str, *children: object) -> str:
    """A whole page around its parts."""
    style = Html(resources.files("chiasm.report").joinpath("page.css").read_text(encoding="utf-8"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style),
    )
    footer = tag("footer", f"Made by Chiasm {__version__}. This page loads nothing from anywhere.")
    return "<!doctype html>\n" + tag("html", head, tag("body", tag("main", *children), footer), lang="en") + "\n"
