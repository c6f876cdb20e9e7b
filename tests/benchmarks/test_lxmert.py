"""LXMERT's benchmarks run, on a model of toy size: the figures that they promise, and outputs that are equal."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.conftest import ROOT


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks as scripts find each other: their folder is on the path."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def forget(*names: str) -> None:
    """The folder also holds benchmarks with names of installed packages; none stays imported."""
    for name in names:
        sys.modules.pop(name, None)


def test_the_last_line_is_one_object_with_every_figure(scripts: None, capsys: pytest.CaptureFixture[str]) -> None:
    import lxmert

    parts = ["inference", "encoder", "shared_image", "pairs", "training"]
    lxmert.main([*parts, "--size", "small", "--rounds", "1", "--batches", "1", "8", "--threads", "1", "--json"])
    forget("lxmert", "lxmert_setup")
    found = last_line(capsys)
    for precision in ("float32", "bfloat16", "int8"):
        assert set(found["inference"][precision]) == {"1", "8"}
        assert found["shared_image"][precision] > 0
        assert set(found["pairs"][precision]) == {"1", "16"}
    assert set(found["training"]["float32"]) == set(found["training"]["bfloat16"]) == {"8"}
    assert set(found["limit_gflops"]) == {"float32", "bfloat16", "int8"}
    assert found["max_difference"]["float32"] < 1e-5
    assert 1e-5 < found["max_difference"]["int8"] < 0.3


def test_with_and_without_each_step_the_numbers_are_the_same(scripts: None, capsys: pytest.CaptureFixture[str]) -> None:
    import lxmert_steps

    lxmert_steps.main(["--size", "small", "--rounds", "1", "--threads", "1", "--json"])
    forget("lxmert_steps", "lxmert_setup")
    found = last_line(capsys)
    assert found["max_difference"]["float32"] < 1e-5
    steps = {"kernel_onednn_packed", "dead_work_left_out", "image_once", "length_groups", "statement_once"}
    assert steps | {"optimiser_in_one_pass", "dropout_of_four_draws"} <= set(found)


def test_every_kernel_has_a_rate(scripts: None) -> None:
    import kernels

    found = kernels.rates(8, 16, 24, 1)
    forget("kernels")
    assert len(found) == 5
    assert all(rate > 0 for rate in found.values())


@pytest.mark.slow
@pytest.mark.timeout(900)  # three processes that import everything, on a busy machine
def test_peak_memory_is_of_one_model_each(scripts: None, capsys: pytest.CaptureFixture[str]) -> None:
    import lxmert

    lxmert.main(["memory", "--size", "small", "--batches", "8", "--threads", "1", "--json"])
    forget("lxmert", "lxmert_setup")
    peaks = last_line(capsys)["training"]["peak_mb"]
    assert set(peaks) == {"transformers", "float32", "bfloat16"}
    assert all(100 < peak < 2000 for peak in peaks.values()), "a toy model, not the base model"
