"""Captions in files: what people wrote about each image (references), and what a system wrote (results).

References: a COCO annotation file (`annotations` of `image_id` and `caption`), Flickr8k's token file
(`image.jpg#0<TAB>caption`), or a JSON object of image -> list of captions. Results: the list that COCO's evaluation
takes (`[{"image_id": ..., "caption": ...}, ...]`), or a JSON object of image -> caption.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from chiasm.data.example import DataError, RowError, raise_rows


def read_references(file: Path) -> dict[str, list[str]]:
    """Image -> its captions in order. Raises `DataError` for a file of another kind, naming the entry that is wrong."""
    if file.suffix.lower() in (".json", ".jsonl"):
        content = _json(file)
        entries = content.get("annotations") if isinstance(content, dict) else content
        if entries is None and isinstance(content, dict):
            return {image: _list_of(file, image, texts) for image, texts in content.items()}
        return _grouped(_captions(file, entries))
    lines = _text(file).splitlines()
    fields = [line.partition("\t") for line in lines]
    errors = [
        RowError(f"expected image#number, a tab and a caption, got {line!r}", origin=f"{file}, line {number}")
        for number, (line, (key, tab, text)) in enumerate(zip(lines, fields, strict=True), start=1)
        if not (tab and text.strip() and "#" in key)
    ]
    raise_rows(errors)
    return _grouped((key.rpartition("#")[0], text) for key, _, text in fields)


def read_results(file: Path) -> dict[str, str]:
    """Image -> the caption that a system gave it. Raises `DataError`, also for an image with two."""
    content = _json(file)
    if isinstance(content, dict) and "annotations" not in content:
        wrong = next((image for image, text in content.items() if not isinstance(text, str)), None)
        if wrong is not None:
            raise DataError(f"{file}: the caption of image {wrong} is {content[wrong]!r}; expected a string")
        return dict(content)
    entries = list(_captions(file, content["annotations"] if isinstance(content, dict) else content))
    found = dict(entries)
    if len(found) < len(entries):
        names = [image for image, _ in entries]
        twice = next(image for image in names if names.count(image) > 1)
        raise DataError(f"{file}: image {twice} has several captions; results hold one for each image")
    return found


def paired(results: Mapping[str, str], references: Mapping[str, list[str]]) -> tuple[list[str], list[list[str]]]:
    """The results in the order of the references, and these. Raises `DataError` unless both are of the same images."""
    for what, some, others in [("result", references, results), ("reference", results, references)]:
        missing = [image for image in some if image not in others]
        if missing:
            raise DataError(f"{len(missing)} of {len(some)} images have no {what}, e.g. {missing[0]}")
    return [results[image] for image in references], [list(texts) for texts in references.values()]


def _captions(file: Path, entries: Any) -> Iterable[tuple[str, str]]:
    if not isinstance(entries, list):
        raise DataError(f"{file} holds no captions: a list of image_id and caption is expected")
    errors = []
    for number, entry in enumerate(entries):
        named = isinstance(entry, Mapping) and "image_id" in entry and isinstance(entry.get("caption"), str)
        if not named:
            errors.append(RowError(f"expected image_id and caption, got {entry!r}", origin=f"{file}, entry {number}"))
    raise_rows(errors)
    return [(str(entry["image_id"]), entry["caption"]) for entry in entries]


def _grouped(captions: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for image, text in captions:
        found[image].append(text)
    return dict(found)


def _list_of(file: Path, image: str, texts: Any) -> list[str]:
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise DataError(f"{file}: image {image} has {texts!r}; expected a list of captions")
    return texts


def _json(file: Path) -> Any:
    """One value, or with the ending .jsonl the list of the lines' values."""
    text = _text(file)
    try:
        return (
            [json.loads(line) for line in text.splitlines() if line.strip()]
            if file.suffix == ".jsonl"
            else json.loads(text)
        )
    except json.JSONDecodeError as error:
        raise DataError(f"{file} is no valid JSON ({error})") from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read ({error})") from error
