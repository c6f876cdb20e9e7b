"""Words in pictures, with boxes, by tesseract (extra `ocr`, and the program itself: Debian's tesseract-ocr)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from chiasm.data.example import DataError
from chiasm.data.images import open_image
from chiasm.data.progress import track


@dataclass(frozen=True)
class Word:
    """A word that was read in a picture."""

    text: str
    box: tuple[float, float, float, float]  # x1, y1, x2, y2 divided by the image's width and height
    confidence: float  # in [0, 1]


def read_words(image: Image.Image, *, language: str = "eng", threshold: float = 0.3) -> list[Word]:
    """The words of an RGB image in tesseract's order of reading, those at least as sure as `threshold`.

    Raises `DataError` when the package, the program or the language is not installed.
    """
    try:
        import pytesseract
    except ImportError as error:
        raise DataError("reading words in pictures needs a package: pip install 'chiasm[ocr]'") from error
    try:
        found: dict[str, list[Any]] = pytesseract.image_to_data(
            image, lang=language, output_type=pytesseract.Output.DICT
        )
    except pytesseract.TesseractNotFoundError as error:
        raise DataError("the program tesseract is not installed (Debian: apt install tesseract-ocr)") from error
    except pytesseract.TesseractError as error:
        raise DataError(f"tesseract: {' '.join(str(error).split())[:200]}") from error
    words = []
    for text, sure, x, y, w, h in zip(
        *(found[key] for key in ("text", "conf", "left", "top", "width", "height")), strict=True
    ):
        confidence = float(sure) / 100  # -1 where the line is a block, not a word
        if text.strip() and confidence >= threshold:
            box = (x / image.width, y / image.height, (x + w) / image.width, (y + h) / image.height)
            words.append(Word(text.strip(), box, confidence))
    return words


def write_words(
    images: Mapping[str, Any], file: Path, *, language: str = "eng", threshold: float = 0.3
) -> tuple[int, dict[str, str]]:
    """The words of each image as a JSON line {"id", "words"}; returns their number, and why images were left out."""
    file.parent.mkdir(parents=True, exist_ok=True)
    total, bad = 0, {}
    with file.open("w", encoding="utf-8") as out:
        for name, value in track(images.items(), len(images), "words"):
            try:
                image = open_image(value)
            except DataError as error:
                bad[name] = str(error)
                continue
            words = read_words(image, language=language, threshold=threshold)
            total += len(words)
            out.write(json.dumps({"id": name, "words": [asdict(word) for word in words]}, ensure_ascii=False) + "\n")
    return total, bad
