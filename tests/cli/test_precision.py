"""`chiasm evaluate --precision`: another file, nearly the same answers, and a refusal where nothing can be rounded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.layers.linear import Linear

Chiasm = Callable[..., int]


def test_rounded_answers_are_measured_into_a_file_of_their_own(
    chiasm: Chiasm, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: set[str | None] = set()
    kind = Linear._kind
    monkeypatch.setattr(Linear, "_kind", lambda self, x: used.add(found := kind(self, x)) or found)
    assert chiasm("evaluate", trained / "bundle", "--precision", "int8") == 0
    assert used == {"int8"}
    rounded = json.loads((trained / "evaluation-int8.json").read_text())["metrics"]["accuracy"]["value"]
    exact = json.loads((trained / "metrics.json").read_text())["metrics"]["test"]["accuracy"]["value"]
    assert abs(rounded - exact) < 0.1


def test_an_unknown_precision_is_wrong_usage(chiasm: Chiasm, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert chiasm("evaluate", trained / "bundle", "--precision", "int4") == 2
    assert "int4" in capsys.readouterr().err
