"""A small untrained CMR from raw inputs: what has affinities and rankings to show."""

from __future__ import annotations

from typing import Any

import torch

from chiasm.data.example import Example
from chiasm.data.regions import Preprocess as RegionsPreprocess
from chiasm.data.text import Preprocess as TextPreprocess
from chiasm.models.cmr import Cmr, Config
from chiasm.objectives.answers import one_answer
from chiasm.training.bundle import Bundle
from chiasm.training.recipe import Recipe
from tests.explain.planted import COLOURS, ColourTask
from tests.serve.small import RECIPE, examples

BOXES = [[8 * i % 40, 5 * i % 30, 8 * i % 40 + 12, 5 * i % 30 + 9] for i in range(10)]
TEXT = "Is the big square in the left picture red?"


def asked(images: int = 1) -> Example:
    """A statement about pictures with 10 regions, of which the first has one less."""
    row = examples(1, images=images)[0]
    boxes = (BOXES[:9], *[BOXES] * (images - 1))
    return type(row)("m", {**row.values, "text": TEXT, "boxes": boxes})


def matching_bundle(row: Example, *, images: int = 1, **config: Any) -> Bundle:
    """CMR with the preprocessors of the row."""
    text = TextPreprocess(vocabulary_size=70, max_length=40).fit([row])
    regions = RegionsPreprocess(extractor="pixels", extractor_options={"size": 4})
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24, "max_words": 20, "max_regions": 12}
    depth = {"language_layers": 1, "object_layers": 1, "cross_layers": 1, "initializer_range": 0.2}
    shape = {"affinity": "dot_scaled", "classifier_sizes": (24, 12, 8), "num_labels": COLOURS, "num_images": images}
    task = ColourTask()
    task.images = images  # type: ignore[misc]
    torch.manual_seed(0)
    facts = {**text.facts, **regions.facts}
    known = {name: value for name, value in facts.items() if name in Config.__dataclass_fields__}
    model = Cmr(Config(**{**known, **sizes, **depth, **shape, **config}), {"answer": one_answer}).eval()
    return Bundle(model, task, {"text": text, "regions": regions}, Recipe.from_toml(RECIPE.replace("lxmert", "cmr")))
