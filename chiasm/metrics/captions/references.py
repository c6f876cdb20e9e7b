"""The references of I images: tokens separated by spaces, any number of references each, indexed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from chiasm.metrics.captions.ngrams import MAX_ORDER, Counts, Ids, Index


class References:
    """What every n-gram measure needs of the references; any number of hypotheses can be scored against them.

    Raises ValueError for an image without references, naming its position, and when there are none at all.
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        if not len(references):
            raise ValueError("there are no references")
        self.num_images = len(references)
        self.per_image = np.fromiter(map(len, references), np.int64, len(references))  # (I,)
        if not self.per_image.all():
            raise ValueError(f"image {int(np.argmin(self.per_image))} has no reference")
        for image, texts in enumerate(references):
            if isinstance(texts, str):
                raise ValueError(f"the references of image {image} are one string; expected a list of strings")
        self.sentences = [text for texts in references for text in texts]
        self.image: Ids = np.repeat(np.arange(self.num_images), self.per_image)  # (S,) of each sentence
        self.starts: Ids = np.cumsum(self.per_image) - self.per_image  # (I,) its first sentence
        self.index = Index(self.sentences, order=MAX_ORDER)

    @cached_property
    def largest_counts(self) -> list[Counts]:
        """For n = 1, 2, ...: of each image's n-grams the largest count in any of its references."""
        return [counts.of_groups(self.image, self.num_images) for counts in self.index.counts]

    def check(self, hypotheses: Sequence[str]) -> None:
        """Raises ValueError unless there is one hypothesis, a string, for each image."""
        if len(hypotheses) != self.num_images:
            raise ValueError(f"{len(hypotheses)} hypotheses for the references of {self.num_images} images")
        for image, text in enumerate(hypotheses):
            if not isinstance(text, str):
                raise ValueError(f"hypothesis {image} is {text!r}; expected a string")


def indexed(references: Sequence[Sequence[str]] | References) -> References:
    """The same references, indexed if they are not yet."""
    return references if isinstance(references, References) else References(references)
