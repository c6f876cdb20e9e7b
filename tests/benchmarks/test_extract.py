"""The benchmark of extraction runs, on a model of toy size: both ways find the same boxes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.data import published


def test_both_ways_find_the_same_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import extract

    model, out = published.detr(tmp_path / "detr"), tmp_path / "numbers.json"
    extract.main(["--model", str(model), "--count", "7", "--batch", "3", "--json", str(out)])
    sys.modules.pop("extract")
    found = json.loads(out.read_text())
    assert found["difference"] < 1e-5
    assert found["extract"]["images_per_second"] > 0
    assert "extract is " in capsys.readouterr().out
