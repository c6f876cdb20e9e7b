"""A bundle small enough to make in a moment: pictures of four colours, an untrained model."""

from __future__ import annotations

import pytest

from chiasm.data.example import Example
from chiasm.serve.predictor import Predictor
from tests.serve.small import examples, small_bundle


@pytest.fixture(scope="session")
def rows() -> list[Example]:
    return examples(6)


@pytest.fixture(scope="session")
def predictor(rows: list[Example]) -> Predictor:
    return Predictor(small_bundle(rows))
