"""One trained model for all tests of explanations: it takes seconds to learn."""

from __future__ import annotations

import pytest
import torch

from chiasm.models.lxmert import Lxmert
from tests.explain.planted import trained_model


@pytest.fixture(scope="session")
def model() -> Lxmert:
    torch.set_num_threads(1)
    return trained_model()
