"""What the tests of the predictor and of explanations from raw inputs share."""

from __future__ import annotations

from typing import Any

from PIL import Image

from chiasm.data.example import Example
from chiasm.data.regions import Preprocess as RegionsPreprocess
from chiasm.data.text import Preprocess as TextPreprocess
from chiasm.training.bundle import Bundle
from chiasm.training.recipe import Recipe
from tests.explain.planted import COLOURS, ColourTask, small_model

PAINT = ((200, 30, 30), (30, 160, 60), (40, 60, 200), (128, 128, 128))
RECIPE = 'model = "lxmert"\ntask = "gqa"\n[data]\nsource = "gqa"\ntrain = ["train"]\n'
QUESTIONS = ("What colour is it?", "Is the square red?", "Which unbelievable colour has the big square there?")


def picture(number: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A square of one of four colours on white."""
    image = Image.new("RGB", size, (255, 255, 255))
    image.paste(PAINT[number % COLOURS], (10 + number, 8, 34 + number, 32))
    return image


def examples(count: int, images: int = 1) -> list[Example]:
    """Questions of different lengths about `images` pictures each."""
    return [
        Example(
            f"q{i}",
            {"text": QUESTIONS[i % len(QUESTIONS)], "images": tuple(picture(i + k) for k in range(images))},
        )
        for i in range(count)
    ]


def small_bundle(rows: list[Example], *, images: int = 1, **config: Any) -> Bundle:
    """An untrained LXMERT with the preprocessors of the rows."""
    text = TextPreprocess(vocabulary_size=70, max_length=40).fit(rows)
    regions = RegionsPreprocess(extractor="pixels", extractor_options={"size": 4})
    sizes = {**text.facts, **regions.facts, "num_images": images, "initializer_range": 0.2}
    task = ColourTask()
    task.images = images  # type: ignore[misc]
    model = small_model(**{**sizes, **config}).eval()
    return Bundle(model, task, {"text": text, "regions": regions}, Recipe.from_toml(RECIPE))
