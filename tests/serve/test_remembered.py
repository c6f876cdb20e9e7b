"""Regions of the same picture are found once, and are the same."""

from __future__ import annotations

import numpy as np
import pytest

from chiasm.data.example import DataError
from chiasm.data.extractors import Boxes, Extraction, make_extractor
from chiasm.data.extractors.pixels import Extract
from chiasm.data.regions import Preprocess
from chiasm.serve.predictor import Predictor
from chiasm.serve.remembered import Remembering, remember_regions
from tests.serve.small import examples, picture, small_bundle

BOXES: Boxes = [[0, 0, 9, 9]]


class Counting(Extract):
    """Counts the pictures that it is given."""

    count = 0

    def extract(self, images: list) -> list[Extraction]:  # type: ignore[type-arg,override]
        self.count += len(images)
        return super().extract(images)


@pytest.fixture
def counting() -> Counting:
    return Counting(size=4)


def test_the_same_picture_is_extracted_once_and_comes_out_the_same(counting: Counting) -> None:
    remembering, plain = Remembering(counting), Extract(size=4)
    asked = [(picture(0), None), (picture(1), None), (picture(0), None), (picture(0), BOXES)]
    for _ in range(2):
        for one, expected in zip(remembering.extract(asked), plain.extract(asked), strict=True):
            assert np.array_equal(one.features, expected.features)
            assert np.array_equal(one.boxes, expected.boxes)
    assert counting.count == 3  # two pictures, and one of them with boxes


def test_the_oldest_is_forgotten_first(counting: Counting) -> None:
    remembering = Remembering(counting, pictures=2)
    for number in (0, 1, 0, 2, 0, 1):  # 2 takes the place of 1, which is older than 0
        remembering(picture(number), None)
    assert counting.count == 4


def test_an_error_is_not_remembered(counting: Counting) -> None:
    remembering = Remembering(counting)
    bad = (picture(0), [[5, 5, 5, 5]])
    for _ in range(2):
        found = remembering.attempt([(picture(1), None), bad])
        assert isinstance(found[0], Extraction)
        assert isinstance(found[1], DataError)


def test_a_bundle_answers_the_same_with_remembered_regions() -> None:
    rows = examples(4)
    plain, remembering = Predictor(small_bundle(rows)), Predictor(small_bundle(rows))
    remember_regions(remembering.bundle)
    for _ in range(2):
        assert list(remembering.predict(rows)) == list(plain.predict(rows))


def test_another_extractor_is_refused() -> None:
    regions = Preprocess(extractor="pixels", extractor_options={"size": 4})
    with pytest.raises(DataError, match="the given extractor"):
        regions.use_extractor(make_extractor("pixels", {"size": 5}))
