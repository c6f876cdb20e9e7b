"""The benchmark of beam search runs, and its loop over images writes what the batched search writes."""

from __future__ import annotations

import sys

import pytest
import torch

from tests.conftest import ROOT


def test_the_loop_and_the_batched_search_write_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import beam

    sys.modules.pop("beam")
    model, batch = beam.decoder(), beam.images(3)
    with torch.inference_mode():
        assert beam.one_by_one(beam.Plain(model), batch, 4, 6) == beam.together(model, batch, 4, 6)
