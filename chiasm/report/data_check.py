"""What a folder of data is, as a page: its data sets, what they lack, and examples with pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chiasm.data.example import DataError, Example
from chiasm.data.images import open_image
from chiasm.report.cards import answer_text
from chiasm.report.html import Html, join, tag
from chiasm.report.page import document
from chiasm.report.pictures import data_uri
from chiasm.training.data_check import Checked, Found, Split


def render_check(checked: Checked) -> str:
    """The page of a checked folder."""
    parts = [
        tag("header", tag("h1", f"The data in {checked.folder.name}"), *(tag("p", hint) for hint in checked.hints))
    ]
    if not checked.found and not checked.hints:
        parts.append(tag("p", "Nothing in it is known to this library."))
    return document(f"The data in {checked.folder.name}", *parts, *map(_data_set, checked.found))


def _data_set(found: Found) -> Html:
    return tag(
        "section",
        tag("h2", found.source),
        _table(("split", "examples", "answered", "images", "not there"), [_counts(split) for split in found.splits]),
        *_lists(found),
        *(_examples(split) for split in found.splits),
    )


def _counts(split: Split) -> tuple[str, ...]:
    numbers = (split.examples, split.answered, split.images, split.images_missing)
    return (split.name, *(f"{number:,}" for number in numbers))


def _lists(found: Found) -> Iterator[Html]:
    """What is there and what is missing: options, recipes, splits."""
    for title, entries in (
        ("Options of the source", found.options),
        ("Recipes", found.recipes),
        ("Splits that are not there", found.absent),
    ):
        if entries:
            yield tag("details", tag("summary", title), tag("ul", *(tag("li", line) for line in _lines(entries))))


def _lines(entries: Mapping[str, str]) -> list[str]:
    return [f"{name}: {reason or 'ready'}" for name, reason in entries.items()]


def _examples(split: Split) -> Html:
    cards = [
        tag("article", tag("div", *_pictures(example), class_="picture"), _words(example), class_="card")
        for example in split.shown
    ]
    return tag("section", tag("h3", f"Examples of {split.name}"), tag("div", *cards, class_="cards"))


def _pictures(example: Example) -> Iterator[Html]:
    for image in example.values.get("images") or ():
        try:
            yield tag("img", src=data_uri(open_image(image)), alt=f"Image of example {example.id}", width=320)
        except DataError as error:
            yield tag("p", str(error))


def _words(example: Example) -> Html:
    text, answer = example.values.get("text"), example.values.get("answer")
    return tag(
        "div",
        tag("p", text if text is not None else f"Example {example.id}"),
        tag("p", tag("strong", "answer: "), answer_text(answer) if answer is not None else "not known"),
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Html:
    body = join(tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows)
    return tag("table", tag("thead", tag("tr", *(tag("th", name) for name in head))), tag("tbody", body))
